package validator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// oddities are what a client can have put into an answer about its own token, as
// authorization_details (RFC 9396), and what a strict reader does not take.
var oddities = map[string]string{
	"20 levels":         strings.Repeat("[", 20) + strings.Repeat("]", 20),
	"20,000 levels":     strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
	"a name twice":      `[{"a":1,"a":2}]`,
	"a lone surrogate":  `["\ud800"]`,
	"not UTF-8":         "[\"\xff\"]",
	"a name not UTF-8":  "[{\"\xff\":1}]",
	"all of that":       `[{"a":"\ud800","a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "}]",
	"an escape as name": `[{"a":1,"\u0061":2}]`,
}

// TestOddAnswersCountForTheirTokenAlone, signed or not: a client that has them
// made must not shut the way for others.
func TestOddAnswersCountForTheirTokenAlone(t *testing.T) {
	for _, signed := range []bool{false, true} {
		for name, odd := range oddities {
			t.Run(fmt.Sprintf("%s, signed: %v", name, signed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
						inner := fmt.Sprintf(`{"active":true,"aud":%q}`, issuertest.Audience)
						if strings.HasPrefix(r.PostForm.Get("token"), "odd") {
							inner = strings.TrimSuffix(inner, "}") + `,"authorization_details":` + odd + "}"
						}
						if !signed {
							fmt.Fprint(w, inner)
							return
						}
						payload := fmt.Sprintf(`{"iss":%q,"aud":%q,"iat":%d,"token_introspection":%s}`, iss.URL(), answersFor, time.Now().Unix(), inner)
						w.Header().Set("Content-Type", mediaType)
						fmt.Fprint(w, iss.Sign(object(goodAnswer(iss, time.Now()).header), []byte(payload), "ES256"))
					})
					issuer := bothOf(iss)
					if signed {
						issuer = signedAnswers(iss)
					}
					v := newMany(t, issuer)
					wantOutcome(t, "ok")(v.Verify(t.Context(), "honest-0"))
					for n := range 5 {
						wantOutcome(t, "active")(v.Verify(t.Context(), fmt.Sprint("odd-", n)))
					}
					wantOutcome(t, "ok")(v.Verify(t.Context(), "honest-1"))
				})
			})
		}
	}
}
