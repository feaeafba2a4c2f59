"""What documents need is made from the configuration."""

from pathlib import Path
from typing import cast

from pydantic import SecretStr

from appservice.documents.bucket import Bucket
from appservice.documents.house import document_house
from appservice.documents.shelf import Folder
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase
from appservice.setup.config import S3, Documents
from policies.documents.filing import Refused
from policies.documents.quota import Quota
from policies.words.phrase import verbatim
from tests.fakes.memory import MemoryDatabase
from tests.invariants.world import configuration


async def test_a_file_has_so_many_megabytes_as_are_configured_whichever_way_it_comes(tmp_path: Path) -> None:
    documents = Documents.model_validate({"enabled": True, "folder": tmp_path / "documents", "most_megabytes": 7})
    config = configuration().model_copy(update={"documents": documents})
    house = document_house(config, cast(ServiceDatabase, MemoryDatabase()), cast(Homeserver, None))
    assert house is not None
    assert house.most_bytes == 7_000_000
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(7_000_001)
    assert house.intake._quota == Quota(5_000_000_000, 1_000_000_000, 100)
    assert await house.intake._examiner.examine(large) == Refused(verbatim("A file has at most 7 MB."))
    assert document_house(configuration(), cast(ServiceDatabase, MemoryDatabase()), cast(Homeserver, None)) is None


def test_ciphertext_lies_in_the_folder_or_in_the_bucket_that_is_configured(tmp_path: Path) -> None:
    secret = SecretStr("secret")
    s3 = S3.model_construct(
        endpoint="https://s3.example.org", bucket="documents", access_key_id="us", secret_access_key=secret
    )
    in_folder = Documents.model_validate({"folder": tmp_path / "documents"})
    for documents, kind in ((in_folder, Folder), (in_folder.model_copy(update={"s3": s3}), Bucket)):
        config = configuration().model_copy(update={"documents": documents})
        house = document_house(config, cast(ServiceDatabase, MemoryDatabase()), cast(Homeserver, None))
        assert house is not None
        assert isinstance(house.shelf, kind)
