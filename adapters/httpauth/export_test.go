package httpauth

import "github.com/m2mguard/m2mguard/validator"

// AnswerOf is the status and the error value that a refusal is answered with.
func AnswerOf(e *validator.Error) (status int, code string) {
	a := newAnswer(DefaultRealm, e, "")
	return a.status, a.body.Error
}
