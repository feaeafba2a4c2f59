"""An organisation that keeps documents."""

from __future__ import annotations

from sandbox.world import World


async def keep_documents(world: World, *, most_megabytes: int = 50) -> None:
    """The service keeps documents, and may delete files from its homeserver; it is started anew for that."""
    await world.homeserver.register("files", "password of files", admin=True)
    token = (await world.homeserver.log_in("files", "password of files")).access_token
    await world.stop_service()
    secret = world.config.parent / "secrets" / "media-admin.token"
    secret.write_text(token)
    secret.chmod(0o600)
    settings = world.config.read_text().replace(
        "# reports_token: {file: secrets/reports.token}", f"reports_token: {{file: secrets/{secret.name}}}"
    )
    before, _, after = settings.partition("\ndocuments:\n  enabled: false")
    assert after, "the configuration that was made has no section for documents"
    after = after.replace("most_megabytes: 50", f"most_megabytes: {most_megabytes}")
    named = f"\n  media_admin_token: {{file: secrets/{secret.name}}}"
    world.config.write_text(f"{before}\ndocuments:\n  enabled: true{named}{after}")
    await world.start_service()
