package interop;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.web.server.context.WebServerInitializedEvent;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;
import org.springframework.security.oauth2.server.authorization.token.JwtEncodingContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenClaimsContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;

// Server is a Spring Authorization Server, as Spring Boot sets it up. The property
// "secret" is that of its clients. It answers each line of its input with one of
// its output: the first with its issuer identifier; all others, which rotate the
// keys, with an empty object. It ends when its input does.
@SpringBootApplication
public class Server {
    private static final PrintStream answers = System.out;

    // The first key signs; the others are published.
    private final AtomicReference<List<JWK>> keys = new AtomicReference<>(List.of(newKey()));

    public static void main(String[] args) {
        System.setOut(System.err); // where the log goes
        SpringApplication.run(Server.class, args);
    }

    static JWK newKey() {
        try {
            return new RSAKeyGenerator(2048).keyUse(KeyUse.SIGNATURE).keyID(UUID.randomUUID().toString()).generate();
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    @Bean
    RegisteredClientRepository clients() {
        return new InMemoryRegisteredClientRepository(
            client("orders", OAuth2TokenFormat.SELF_CONTAINED), // the API, which introspects
            client("warehouse", OAuth2TokenFormat.SELF_CONTAINED),
            client("opaque", OAuth2TokenFormat.REFERENCE),
            client("at-jwt", OAuth2TokenFormat.SELF_CONTAINED),
            client("no-audience", OAuth2TokenFormat.SELF_CONTAINED),
            client("elsewhere", OAuth2TokenFormat.SELF_CONTAINED),
            client("elsewhere-opaque", OAuth2TokenFormat.REFERENCE));
    }

    private static RegisteredClient client(String id, OAuth2TokenFormat format) {
        return RegisteredClient.withId(id)
            .clientId(id)
            .clientSecret("{bcrypt}" + new BCryptPasswordEncoder(4).encode(System.getProperty("secret"))) // salted: no two may be equal
            .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
            .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_POST)
            .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
            .scope("orders:read")
            .scope("orders:write")
            .tokenSettings(TokenSettings.builder().accessTokenFormat(format).accessTokenTimeToLive(Duration.ofHours(1)).build())
            .build();
    }

    @Bean
    JWKSource<SecurityContext> keySource() {
        return (selector, context) -> selector.select(new JWKSet(keys.get()));
    }

    @Bean
    OAuth2TokenCustomizer<JwtEncodingContext> jwts() {
        return context -> {
            context.getJwsHeader().keyId(keys.get().get(0).getKeyID()); // of all that are published
            context.getClaims().audience(audience(context.getRegisteredClient()));
            if (context.getRegisteredClient().getClientId().equals("at-jwt")) { // what RFC 9068 wants beside
                context.getJwsHeader().type("at+jwt");
                context.getClaims().claim("client_id", context.getRegisteredClient().getClientId());
            }
        };
    }

    @Bean
    OAuth2TokenCustomizer<OAuth2TokenClaimsContext> opaqueTokens() {
        return context -> context.getClaims().audience(audience(context.getRegisteredClient()));
    }

    private static List<String> audience(RegisteredClient client) {
        return switch (client.getClientId()) {
            case "no-audience" -> List.of(client.getClientId()); // what Spring writes by itself
            case "elsewhere", "elsewhere-opaque" -> List.of("https://stock.example.com");
            default -> List.of("https://orders.example.com");
        };
    }

    @EventListener
    void started(WebServerInitializedEvent event) {
        int port = event.getWebServer().getPort();
        Thread commands = new Thread(() -> {
            try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8))) {
                lines.readLine();
                answers.println("{\"issuer\": \"http://127.0.0.1:" + port + "\"}");
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    List<JWK> rotated = new ArrayList<>(List.of(newKey()));
                    if (line.contains("\"keepOld\":true")) {
                        rotated.addAll(keys.get());
                    }
                    keys.set(rotated);
                    answers.println("{}");
                }
            } catch (IOException e) {
                e.printStackTrace();
            }
            System.exit(0);
        });
        commands.start();
    }
}
