use aws_lc_rs::hmac;
use waypost_model::Secret;

/// Salts for users whom nobody knows: the same for the same name, so that asking twice tells nothing.
pub struct Decoys(hmac::Key);

impl Decoys {
    /// Under a key of the operator's, which keeps them the same over restarts and on several nodes;
    /// without one, under one that ends with the process.
    pub fn new(key: Option<&Secret>) -> Self {
        let random = rand::random::<[u8; 32]>();
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.map_or(&random[..], Secret::expose)))
    }

    /// The salt of a user, by their normalised address.
    pub fn salt(&self, user: &str) -> [u8; 16] {
        let mut salt = [0; 16];
        let tag = hmac::sign(&self.0, user.to_lowercase().as_bytes());
        salt.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        salt
    }
}

impl Default for Decoys {
    fn default() -> Self {
        Self::new(None)
    }
}
