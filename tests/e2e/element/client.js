// Element's main component on a page of its own. Whoever drives the browser has put a session into localStorage.
import "./settings.js";
import "matrix-js-sdk/src/browser-index";
import React from "react";
import ReactDOM from "react-dom";
import BasePlatform from "matrix-react-sdk/src/BasePlatform";
import MatrixChat from "matrix-react-sdk/src/components/structures/MatrixChat";
import PlatformPeg from "matrix-react-sdk/src/PlatformPeg";
import SdkConfig from "matrix-react-sdk/src/SdkConfig";
import AutoDiscoveryUtils from "matrix-react-sdk/src/utils/AutoDiscoveryUtils";
import { setLanguage } from "matrix-react-sdk/src/languageHandler";

class Page extends BasePlatform {
    getConfig = async () => ({});
    getDefaultDeviceDisplayName = () => "Element";
    getHumanReadableName = () => "a page";
    requestNotificationPermission = async () => "denied";
    getAppVersion = async () => "none";
    reload = () => location.reload();
}

PlatformPeg.set(new Page());
await setLanguage("en");
const homeserver = SdkConfig.get("default_server_config")["m.homeserver"].base_url;
const validated_server_config = await AutoDiscoveryUtils.validateServerConfigWithStaticUrls(homeserver, undefined, true);
SdkConfig.add({ validated_server_config });
const chat = React.createElement(MatrixChat, {
    config: SdkConfig.get(),
    defaultDeviceDisplayName: "Element",
    enableGuest: false,
    onNewScreen() {},
    onTokenLoginCompleted() {},
    realQueryParams: {},
    startingFragmentQueryParams: {},
});
window.show = (screen) => window.chat.showScreen(screen, {});
window.chat = ReactDOM.render(chat, document.getElementById("matrixchat"));
