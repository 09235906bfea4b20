// OpenClaw's plugin `anthropic-claude-proxy`: runs a local Claude proxy under clawgate's supervisor.

import { register } from "./shared/register.js";
import { EngineService } from "./shared/service.js";

const RUNNING = / services of anthropic-claude-proxy are running for /;

export default {
  id: "anthropic-claude-proxy",
  name: "Anthropic Claude proxy",
  description: "Runs a local Claude proxy and serves its models through Anthropic's Messages API.",
  register: (api) =>
    register(api, {
      id: "anthropic-claude-proxy",
      label: "A local Claude proxy, with the login of a Claude subscription",
      hint: "Address and models of the proxy",
      service: new EngineService({
        id: "anthropic-claude-proxy",
        args: ["supervise", "anthropic-claude-proxy"],
        isReady: (line) => (RUNNING.test(line) ? null : undefined),
      }),
      token: "local",
      verbs: {
        status: ["Show the state of the Claude proxy.", "anthropic-claude-proxy", "status"],
        restart: ["Restart the Claude proxy.", "anthropic-claude-proxy", "restart"],
      },
    }),
};
