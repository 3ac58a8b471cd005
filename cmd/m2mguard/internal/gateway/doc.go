// Package gateway decides for a proxy whether a request may go on to an API that cannot
// import the library: the proxy asks it about each request before it passes it on.
//
// What it is asked about is the original request, as the proxy describes it in header
// fields of its own ([Proxy]). Its path is taken in one reading alone, or refused: what
// the API behind reads in another way would have been judged by another route's rule. A
// path that no route names is refused, too.
//
// Every answer that lets a request through holds every identity field of the
// configuration, with an empty value where there is nothing to say, so that a proxy that
// copies them overwrites whatever its client sent.
package gateway
