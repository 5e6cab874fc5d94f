//! The reverse proxy that keeps a browser on the back end of its user.
