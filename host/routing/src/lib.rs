//! From a lookup to a decision, whoever asks: domains, policies in order, the route cache and single flight.
