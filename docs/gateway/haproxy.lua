-- Asks m2mguard about each request, before HAProxy passes it on.
-- For HAProxy 2.6 and later; see docs/gateway.md.

local gate = "http://127.0.0.1:4180/auth"
local timeout = 5000 -- milliseconds

-- The fields that a request is judged by.
local shown = { "authorization", "dpop", "host" }
-- The fields that tell the API behind who calls: all that m2mguard may write.
local identity = {
	"x-auth-identity", "x-auth-client", "x-auth-subject", "x-auth-issuer", "x-auth-scopes", "x-auth-roles", "x-auth-tenant",
}
-- The fields of an answer that are for the client.
local answers = { "www-authenticate", "dpop-nonce", "retry-after", "cache-control", "content-type" }

-- lines is a field of HAProxy's, which counts from 0, as a list.
local function lines(field)
	local list = {}
	local n = 0
	while field and field[n] do
		list[#list + 1] = field[n]
		n = n + 1
	end
	return list
end

local function refuse(txn, status, fields, body)
	local reply = txn:reply({ status = status })
	for _, name in ipairs(answers) do
		for _, value in ipairs(lines(fields[name])) do
			reply:add_header(name, value)
		end
	end
	reply:set_body(body)
	txn:done(reply)
end

core.register_action("m2mguard", { "http-req" }, function(txn)
	local sent = txn.http:req_get_headers()
	local question = {
		["x-original-method"] = { txn.f:method() },
		["x-original-uri"] = { txn.f:pathq() },
		["x-real-ip"] = { txn.f:src() },
	}
	for _, name in ipairs(shown) do
		local values = lines(sent[name])
		if #values > 0 then
			question[name] = values
		end
	end
	for name in pairs(sent) do -- whatever a client claims, in either spelling
		if string.find(name:lower():gsub("_", "-"), "^x%-auth%-") then
			txn.http:req_del_header(name)
		end
	end
	local answer = core.httpclient():get({ url = gate, headers = question, timeout = timeout })
	if not answer or answer.status == 0 then
		return refuse(txn, 503, { ["retry-after"] = { [0] = "1" } }, "")
	end
	if answer.status ~= 200 then
		return refuse(txn, answer.status, answer.headers, answer.body or "")
	end
	for _, name in ipairs(identity) do
		local value = lines(answer.headers[name])[1]
		if value and value ~= "" then
			txn.http:req_set_header(name, value)
		end
	end
	local nonce = lines(answer.headers["dpop-nonce"])[1]
	if nonce then
		txn:set_var("txn.dpop_nonce", nonce)
	end
end)
