//! What the author of a plugin needs: building a component, and saying whether a shipped one is current.
