-- Asks m2mguard about each request, before Apache passes it on.
-- For Apache 2.4 with mod_lua, and LuaSocket (Debian: lua-socket); see docs/gateway.md.

local http = require "socket.http"
local ltn12 = require "ltn12"

local gate = "http://127.0.0.1:4180/auth"
http.TIMEOUT = 1 -- seconds: a worker waits for it
local secret = "" -- one of serve.secrets, if it has any
local metadata = "/.well-known/oauth-protected-resource" -- what everybody may read: the first ProxyPass leads it to m2mguard

-- The fields that tell the API behind who calls: all that m2mguard may write.
local identity = {
	"x-auth-identity", "x-auth-client", "x-auth-subject", "x-auth-issuer", "x-auth-scopes", "x-auth-roles", "x-auth-tenant",
}
-- The fields of an answer that are for the client.
local answers = { "www-authenticate", "dpop-nonce", "retry-after", "cache-control" }

-- The fields by which some frameworks take another method or path than the request's.
local others = {
	["x-http-method-override"] = true, ["x-http-method"] = true, ["x-method-override"] = true,
	["x-original-url"] = true, ["x-rewrite-url"] = true, ["x-original-uri"] = true, ["x-original-method"] = true,
}

-- claims is whether a client's field could be taken for one of ours, in any spelling, or
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

function check(r)
	local question = {
		["x-original-method"] = r.method,
		["x-original-uri"] = r.unparsed_uri,
		["x-real-ip"] = r.useragent_ip,
		["host"] = r.hostname,
	}
	if secret ~= "" then
		question["x-auth-secret"] = secret
	end
	-- The last one is a certificate's, which Apache sets before this runs, if the gate's
	-- file has api.clientCertificate.
	for _, name in ipairs({ "authorization", "dpop", "x-client-cert" }) do
		question[name] = r.headers_in[name] -- two lines of a field come as one, with a comma
	end
	local claimed = {}
	for name in pairs(r:headers_in_table()) do
		if claims(name) then
			claimed[#claimed + 1] = name
		end
	end
	for _, name in ipairs(claimed) do
		r.headers_in[name] = nil
	end
	local connection = (r.headers_in["Connection"] or ""):lower() -- which may name fields to leave out on the way
	if connection ~= "" then
		r.headers_in["Connection"] = connection:find("close") and "close" or connection:find("upgrade") and "upgrade" or nil
	end
	if r.unparsed_uri == metadata then
		return apache2.DECLINED
	end
	local body = {}
	local done, status, fields = http.request({ url = gate, headers = question, sink = ltn12.sink.table(body), redirect = false })
	if not done then
		r:err("m2mguard cannot be asked: " .. tostring(status))
		r.err_headers_out["Retry-After"] = "1"
		return 503
	end
	if fields["dpop-nonce"] then
		r.err_headers_out["DPoP-Nonce"] = fields["dpop-nonce"]
	end
	if status ~= 200 then
		for _, name in ipairs(answers) do
			if fields[name] then
				r.err_headers_out[name] = fields[name]
			end
		end
		return status
	end
	for _, name in ipairs(identity) do
		if fields[name] and fields[name] ~= "" then
			r.headers_in[name] = fields[name]
		end
	end
	return apache2.DECLINED -- nothing more to say
end
