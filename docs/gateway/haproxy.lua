-- Asks m2mguard about each request, before HAProxy passes it on.
-- For HAProxy 2.6 and later; see docs/gateway.md.

local gate = "http://127.0.0.1:4180/auth"
local timeout = 5000 -- milliseconds
local secret = "" -- one of serve.secrets, if it has any

-- The fields that a request is judged by; the last one is a certificate's, which HAProxy
-- sets before this runs, if the gate's file has api.clientCertificate.
local shown = { "authorization", "dpop", "host", "x-client-cert" }
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

-- The fields by which some frameworks take another method or path than the request's.
local others = {
	["x-http-method-override"] = true, ["x-http-method"] = true, ["x-method-override"] = true,
	["x-original-url"] = true, ["x-rewrite-url"] = true, ["x-original-uri"] = true, ["x-original-method"] = true,
}

-- ours is whether a client's field could be taken for one of ours, in any spelling, or
-- for what was asked.
local ours = {}
for _, name in ipairs(identity) do
	ours[name] = true
end
ours["x-auth-secret"] = true
local function claims(name)
	local plain = name:lower():gsub("[^%w]", "-")
	return ours[plain] or others[plain]
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
	if secret ~= "" then
		question["x-auth-secret"] = { secret }
	end
	for _, name in ipairs(shown) do
		local values = lines(sent[name])
		if #values > 0 then
			question[name] = { values[1], values[2] } -- two are refused as well as many
		end
	end
	for name in pairs(sent) do
		if claims(name) then
			txn.http:req_del_header(name)
		end
	end
	txn.http:req_del_header("connection") -- which may name fields to leave out on the way
	if txn.f:req_fhdr("upgrade") then -- haproxy.cfg leaves websocket alone
		txn.http:req_set_header("connection", "upgrade")
	end
	local answer = core.httpclient():get({ url = gate, headers = question, timeout = timeout })
	if not answer or answer.status == 0 then
		return refuse(txn, 503, { ["retry-after"] = { [0] = "1" } }, "")
	end
	if answer.status == 503 and not answer.headers["retry-after"] then -- HAProxy's own: the gate is away
		return refuse(txn, 503, { ["retry-after"] = { [0] = "1" } }, "")
	end
	if answer.status ~= 200 then
		if answer.status == 503 and not answer.headers["retry-after"] then -- by HAProxy itself
			answer.headers["retry-after"] = { [0] = "1" }
		end
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
	txn:set_var("txn.m2mguard", "passed") -- without this, haproxy.cfg refuses
end)
