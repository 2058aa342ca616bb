//! The problems of the API's description: those that every endpoint with a key or a body may answer with, and the media
//! type of all, declared in one place.

use utoipa::openapi::{
    Content, Header, Object, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder, Type,
    path::{Operation, PathItem},
    schema::SchemaType,
};

/// Problems of endpoints that need a key.
const WITH_KEY: [(&str, &str); 5] = [
    ("401", "The API key is missing, unknown or revoked"),
    ("403", "The API key lacks the scope"),
    ("429", "The API key has made more requests than it may; try again after `Retry-After` seconds"),
    ("500", "Internal error"),
    ("503", "The host or its database is busy or cannot be reached; try again after `Retry-After` seconds"),
];

/// Problems of endpoints that read a body.
const WITH_BODY: [(&str, &str); 3] = [
    ("408", "The body did not arrive in time"),
    ("413", "The body is too large"),
    ("415", "The content type or the content encoding is not supported"),
];

/// Declares what is the same for all endpoints. What an endpoint declares itself, with its own words, stays.
pub fn declare(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let add = |operation: &mut Operation, (status, description): (&str, &str)| {
                let response = || ResponseBuilder::new().description(description).build().into();
                operation.responses.responses.entry(status.to_owned()).or_insert_with(response);
            };
            if operation.security.is_some() {
                WITH_KEY.into_iter().for_each(|problem| add(operation, problem));
            }
            if operation.request_body.is_some() {
                WITH_BODY.into_iter().for_each(|problem| add(operation, problem));
            }
            for (status, response) in &mut operation.responses.responses {
                if let (true, RefOr::T(response)) = (status.starts_with(['4', '5']), response) {
                    complete(status, response);
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, patch, delete, options, .. } = item;
    [get, put, post, patch, delete, options].into_iter().flatten()
}

fn complete(status: &str, response: &mut Response) {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    response.content.insert("application/problem+json".to_owned(), RefOr::T(problem));
    let mut header = |name: &str, kind: Type, description: &str| {
        let mut header = Header::new(Object::with_type(SchemaType::Type(kind)));
        header.description = Some(description.to_owned());
        response.headers.insert(name.to_owned(), RefOr::T(header));
    };
    match status {
        "415" => {
            header("Accept-Encoding", Type::String, "`gzip`, if another content encoding was the reason")
        }
        "429" | "503" => header("Retry-After", Type::Integer, "Seconds to wait before the next try"),
        _ => {}
    }
}
