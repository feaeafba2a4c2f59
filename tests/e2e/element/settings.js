// What has to be set before any other module of the client is loaded.
import SdkConfig from "matrix-react-sdk/src/SdkConfig";

SdkConfig.put({
    brand: "Element",
    default_server_config: { "m.homeserver": { base_url: new URLSearchParams(location.search).get("homeserver") } },
    disable_guests: true,
});
