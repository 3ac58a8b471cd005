-- Asks m2mguard about each request, before Apache passes it on.
-- For Apache 2.4 with mod_lua, and LuaSocket (Debian: lua-socket); see docs/gateway.md.

local http = require "socket.http"
local ltn12 = require "ltn12"

local gate = "http://127.0.0.1:4180/auth"
http.TIMEOUT = 5 -- seconds

-- The fields that tell the API behind who calls: all that m2mguard may write.
local identity = {
	"x-auth-identity", "x-auth-client", "x-auth-subject", "x-auth-issuer", "x-auth-scopes", "x-auth-roles", "x-auth-tenant",
}
-- The fields of an answer that are for the client.
local answers = { "www-authenticate", "dpop-nonce", "retry-after", "cache-control" }

function check(r)
	local question = {
		["x-original-method"] = r.method,
		["x-original-uri"] = r.unparsed_uri,
		["x-real-ip"] = r.useragent_ip,
		["host"] = r.hostname,
	}
	for _, name in ipairs({ "authorization", "dpop" }) do
		question[name] = r.headers_in[name] -- two lines of a field come as one, with a comma
	end
	local claimed = {}
	for name in pairs(r:headers_in_table()) do -- whatever a client claims, in either spelling
		if string.find(name:lower():gsub("_", "-"), "^x%-auth%-") then
			claimed[#claimed + 1] = name
		end
	end
	for _, name in ipairs(claimed) do
		r.headers_in[name] = nil
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
