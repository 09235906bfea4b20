// OpenClaw's plugin `proxy-bridge`: runs clawgate's bridge, which replaces the Bearer token with X-Proxy-Token.

import { register } from "./shared/register.js";
import { EngineService } from "./shared/service.js";

const LISTENING = /^clawgate bridge listening on (\S+) ->/;

export default {
  id: "proxy-bridge",
  name: "Proxy bridge",
  description: "Serves the models of a remote proxy that requires X-Proxy-Token, through a bridge in the gateway.",
  register: (api) =>
    register(api, {
      id: "proxy-bridge",
      label: "A remote proxy that requires X-Proxy-Token",
      hint: "URL and token of the remote proxy",
      service: new EngineService({
        id: "proxy-bridge",
        args: ["bridge", "run"],
        isReady: (line) => LISTENING.exec(line)?.[1],
      }),
      token: "bridge",
      verbs: { status: ["Show the state of the bridge and its remote.", "proxy-bridge", "status"] },
    }),
};
