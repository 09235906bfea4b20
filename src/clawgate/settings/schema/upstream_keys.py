"""Lists OpenClaw's own keys in the blocks of its file that clawgate reads: those that clawgate does not read.

Each of these blocks but those of `OPEN_BLOCKS` is closed in OpenClaw: for one unknown key it rejects its whole config.
Source: the configuration schema that OpenClaw 2026.9.6 prints. A newer OpenClaw may have more keys, so one that is
missing here is worth a warning and no more, unless it looks like a typo.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from clawgate.settings.schema import agents, mcp, openclaw, web_tools
from clawgate.settings.schema.block import Block
from clawgate.settings.schema.model_compat import ModelCompat, VercelRouting

VERSION = "2026.9.6"
"""The version of OpenClaw that has these keys."""

DIALECTS = (
    "openai-completions", "anthropic-messages", "openai-responses", "openai-chatgpt-responses",
    "azure-openai-responses", "google-generative-ai", "google-vertex", "github-copilot", "bedrock-converse-stream",
    "ollama", "pi-messages",
)  # fmt: skip
"""The values that OpenClaw accepts for ``api``; clawgate speaks some of them."""

_AGENT = (
    "agentDir contextLimits cwd decisionModel embeddedAgent experimental fastModeDefault groupChat heartbeat "
    "humanDelay identity models params reasoningDefault runtime sandbox skills skillsLimits subagents "
    "toolProgressDetail tts typingMode utilityModel verboseDefault"
)
_TOOLS = (
    "agentToAgent codeMode elevated exec fs github links loopDetection message sandbox sessions sessions_spawn "
    "subagents swarm toolSearch updatePlan"
)
_KEYS: dict[type[Block], str] = {
    openclaw.OpenClawConfig: "$schema accessGroups acp approvals attachments auth bindings broadcast browser channels "
    "cloudWorkers commands cron desktop diagnostics discovery env hooks logging messages meta nodeHost "
    "proxy secrets security session skills surfaces talk telemetry transcripts tts ui update wizard "
    "worktreeAcceleration worktreeRoot",
    openclaw.GatewayBlock: "cliAgents nodes portals push reload remote roles tailscale terminal tls tools",
    openclaw.ControlUi: "allowExternalEmbedUrls allowInsecureAuth automaticallyFetchFavicons basePath "
    "chatMessageMaxWidth communityInvite dangerouslyAllowHostHeaderOriginFallback dangerouslyDisableDeviceAuth "
    "embedSandbox enabled environment experimental github newSessionModelDefaults root sessionObserver toolTitles",
    openclaw.GatewayAuth: "allowTailscale identityScopes",
    openclaw.TrustedProxyAuth: "deviceAutoApprove",
    openclaw.RateLimit: "",
    openclaw.GatewayHttp: "securityHeaders",
    openclaw.HttpEndpoints: "",
    openclaw.Responses: "files images maxBodyBytes maxUrlParts",
    openclaw.ChatCompletions: "",
    openclaw.ChatImages: "maxRedirects timeoutMs",
    openclaw.ModelsBlock: "catalogRefresh",
    openclaw.ProviderBlock: "agentRuntime injectNumCtxForOpenAICompat localService maxTokens params region",
    openclaw.ProviderRequest: "",
    openclaw.RequestAuth: "",
    openclaw.RequestTls: "",
    openclaw.RequestProxy: "",
    openclaw.ModelEntry: "agentRuntime contextTokens cost mediaInput metadataSource params thinkingLevelMap",
    ModelCompat: "codeMode sendSessionAffinityHeaders sendSessionIdHeader supportsResponsesContinuation",
    VercelRouting: "",
    agents.AgentsBlock: "ownership",
    agents.AgentDefaults: "authInheritance blockStreamingBreak blockStreamingChunk blockStreamingCoalesce "
    "blockStreamingDefault compaction contextLimits contextPruning cwd decisionModel elevatedDefault embeddedAgent "
    "experimental fastModeDefault heartbeat humanDelay imageQuality maxConcurrent "
    "mediaMaxMb mediaModels modelSelectionScope params pdfMaxMb pdfMaxPages pdfModel reasoningDefault repoRoot sandbox "
    "sessionStore silentReply skills skipBootstrap skipOptionalBootstrapFiles startupContext subagents "
    "systemAgent toolProgressDetail typingIntervalSeconds typingMode userTimezone utilityModel verboseDefault "
    "voiceModel",
    agents.AgentEntry: _AGENT,
    agents.ListedAgent: _AGENT,
    agents.ToolRules: f"{_TOOLS} media web",
    agents.Tools: _TOOLS,
    web_tools.WebTools: "search",
    web_tools.WebFetch: "headers provider readability userAgent useTrustedEnvProxy",
    web_tools.SsrfPolicy: "allowIpv6UniqueLocalRange allowRfc2544BenchmarkRange",
    web_tools.MediaTools: "audio concurrency models video",
    web_tools.ImageTool: "attachments baseUrl headers language maxChars preferredModel prompt providerOptions request "
    "scope",
    agents.Memory: "citations",
    agents.MemorySearch: "cache documentInputType enabled experimental extraPaths fallback inputType local multimodal "
    "outputDimensionality query queryInputType rememberAcrossConversations remote sources store",
    agents.ModelChoice: "",
    agents.ImageModel: "",
    agents.ModelPolicy: "",
    agents.ModelSettings: "agentRuntime codeMode params pickerRuntimes streaming",
    mcp.McpBlock: "apps sessionIdleTtlMs",
    mcp.McpOAuth: "",
    mcp.McpServer: "codex supportsParallelToolCalls",
    mcp.ToolFilter: "",
    openclaw.PluginsBlock: "load slots",
    openclaw.PluginEntry: "hooks llm subagent",
}

OPENCLAW_KEYS: Mapping[type[Block], frozenset[str]] = MappingProxyType(
    {block: frozenset(keys.split()) for block, keys in _KEYS.items()}
)
"""Keys that clawgate does not read, by their block."""

OPEN_BLOCKS = frozenset({mcp.McpServer})
"""Those in which OpenClaw accepts any further key."""
