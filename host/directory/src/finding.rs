/// What came of trying one server or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The server's URL, or the file.
    pub subject: String,
    /// What was found, or what is wrong and what to do.
    pub result: Result<String, String>,
}
