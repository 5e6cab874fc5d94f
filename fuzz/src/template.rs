use waypost_directory::{BoundQuery, Dn, Problem, Query, Scope};
use waypost_sdk::{Base, Filter, Parameters, Subject};

/// A search base and a filter as an operator writes them, and a local part as a client writes it;
/// a NUL stands between the three.
///
/// What the plugin takes for a template, the host takes for a query, whoever is asked for; and who
/// is asked for never changes the query's shape.
pub fn template(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, '\0');
    let mut part = || parts.next().unwrap_or_default();
    let (base, filter, local_part) = (part(), part(), part());
    let subject = |local_part: &str| Subject {
        local_part: local_part.chars().take(64).collect(),
        domain: "example.test".into(),
    };
    // An empty local part is a catch-all's, for which the plugin has templates of their own.
    let hostile = subject(if local_part.is_empty() { "*)(uid=*" } else { local_part });
    let benign = subject("ann");

    if let Ok(base) = base.parse::<Base>() {
        let bound = |subject| {
            let mut parameters = Parameters::new(subject);
            let text = base.fill(&mut parameters);
            bind(&text, "(a=b)", &parameters.into_values())
        };
        if let (Some(hostile), Some(benign)) = (bound(&hostile), bound(&benign)) {
            let shape = |query: &BoundQuery| count(&query.base_string(), &[',', '+']);
            assert_eq!(shape(&hostile), shape(&benign), "the base's shape");
        }
    }
    if let Ok(filter) = filter.parse::<Filter>() {
        let bound = |subject| {
            let mut parameters = Parameters::new(subject);
            let text = filter.fill(&mut parameters);
            bind("", &text, &parameters.into_values())
        };
        if let (Some(hostile), Some(benign)) = (bound(&hostile), bound(&benign)) {
            let shape = |query: &BoundQuery| count(&query.filter_string(), &['(', ')', '*']);
            assert_eq!(shape(&hostile), shape(&benign), "the filter's shape");
        }
    }
}

/// Binds as the host does. Only its limits may be in the way of a template.
fn bind(base: &str, filter: &str, parameters: &[Vec<u8>]) -> Option<BoundQuery> {
    let query =
        Query { base, scope: Scope::Subtree, filter, parameters, attributes: &[], size_limit: 1 };
    match BoundQuery::bind(&query, &Dn::root()) {
        Ok(bound) => Some(bound),
        Err(error)
            if matches!(
                error.problem,
                Problem::TooMany(_) | Problem::TooLong(_) | Problem::Attribute
            ) =>
        {
            None
        }
        Err(error) => panic!("{error}: base {base:?}, filter {filter:?}, {parameters:?}"),
    }
}

/// How often the signs stand in a text where no backslash escapes them.
fn count(text: &str, signs: &[char]) -> usize {
    let mut characters = text.chars();
    let mut found = 0;
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        }
        found += usize::from(signs.contains(&character));
    }
    found
}
