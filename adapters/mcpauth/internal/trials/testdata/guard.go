package main

import (
	"log"
	"net/http"
	"os"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// guarded stands before the everything-server's handler: the test has the go command
// compile it into that program. Each thing that the server has needs a scope of its kind.
func guarded(handler http.Handler) http.Handler {
	public := os.Getenv("M2MGUARD_PUBLIC_URL")
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: os.Getenv("M2MGUARD_ISSUER"), Audience: []string{public}}},
		Observer: validator.LogEvents(nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	rules := mcpauth.Rules{
		Base:      new(scopes.All("mcp")),
		Tools:     make(map[string]scopes.Rule),
		Prompts:   make(map[string]scopes.Rule),
		Resources: map[string]scopes.Rule{"test://{+path}": scopes.All("resources")},
	}
	for _, name := range []string{
		"test_simple_text", "test_image_content", "test_audio_content", "test_embedded_resource", "test_multiple_content_types",
		"test_tool_with_logging", "test_tool_with_progress", "test_error_handling", "test_sampling", "test_elicitation",
		"test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums", "json_schema_2020_12_tool", "test_reconnection",
		"test_x_mcp_header", "test_missing_capability", "test_streaming_elicitation", "test_logging_tool", "test_trigger_tool_change",
		"test_trigger_prompt_change", "test_input_required_result_elicitation", "test_input_required_result_sampling",
		"test_input_required_result_list_roots", "test_input_required_result_request_state", "test_input_required_result_multiple_inputs",
		"test_input_required_result_multi_round", "test_input_required_result_tampered_state", "test_input_required_result_capabilities",
		"__transient_tool_for_list_changed",
		// Of an extension that the SDK has not: it is for the server to say so.
		"greet", "slow_compute", "failing_job", "protocol_error_job", "confirm_delete", "multi_input", "test_tool_with_task",
	} {
		rules.Tools[name] = scopes.All("tools")
	}
	for _, name := range []string{
		"test_simple_prompt", "test_prompt_with_arguments", "test_prompt_with_embedded_resource", "test_prompt_with_image", "test_input_required_result_prompt",
		"__transient_prompt_for_list_changed",
	} {
		rules.Prompts[name] = scopes.All("prompts")
	}
	return mcpauth.New(v, rules, &mcpauth.Config{PublicURL: []string{public}}).Protect(handler)
}
