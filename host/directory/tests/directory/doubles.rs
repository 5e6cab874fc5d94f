//! The double for tests of other crates, and what is counted.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use waypost_directory::{
    Directory, FaultyDirectory, LdifDirectory, LdifSettings, LdifSource, Metrics, SearchError,
};

use crate::support::{Ask, BASE, PEOPLE, ldif, look_up};

#[tokio::test]
async fn a_directory_that_fails_on_demand() {
    let faults = FaultyDirectory::new(ldif(PEOPLE));
    let directory = Directory::Faulty(faults.clone());
    assert_eq!(directory.base(), BASE);
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
    let error = SearchError::Unavailable("a test".into());
    faults.fail(error.clone());
    assert_eq!(look_up(&directory).await, Err(error));
    faults.heal();
    faults.delay(Duration::from_millis(30));
    let start = Instant::now();
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
    assert!(start.elapsed() >= Duration::from_millis(30));
    faults.delay(Duration::from_secs(60));
    let query = Ask::default().bind(&directory);
    let deadline = std::time::Instant::now() + Duration::from_millis(20);
    assert_eq!(directory.search(&query, deadline).await, Err(SearchError::Timeout));
    assert_eq!(faults.searches(), 4);
}

#[tokio::test]
async fn searches_are_counted() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let source = LdifSource::Content(PEOPLE.as_bytes().into());
    let settings = LdifSettings::new("main", source);
    let directory = Directory::Ldif(LdifDirectory::load(settings, &metrics).unwrap());
    look_up(&directory).await.unwrap();
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "waypost_directory_searches_total{directory=\"main\",outcome=\"ok\"} 1",
        "waypost_directory_searches_total{directory=\"main\",outcome=\"timeout\"} 0",
        "waypost_directory_search_seconds_count{directory=\"main\"} 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
