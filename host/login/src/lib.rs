//! One login driver for every protocol that logs in: from credentials to hand-over.
