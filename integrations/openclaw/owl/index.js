// OpenClaw's plugin `owl`: sets up a server of your own with OpenAI's API, behind any kind of credential.

import { register } from "./shared/register.js";

export default {
  id: "owl",
  name: "Owl",
  description: "Serves the models of your own inference server: Bearer, Basic, a header or no credential.",
  register: (api) =>
    register(api, {
      id: "owl",
      label: "A server of your own with OpenAI's API",
      hint: "URL, credential and models of the server",
      verbs: {
        status: ["Show whether the server responds and accepts the credential.", "models", "status", "--provider", "owl"],
      },
    }),
};
