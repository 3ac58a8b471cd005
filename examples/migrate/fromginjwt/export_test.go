package fromginjwt

// EitherOrders is the handler at the stage enforce.
var EitherOrders = eitherOrders
