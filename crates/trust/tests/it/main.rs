//! Who is who, from the outside: CAs, handshakes, joins, and files.

mod ca;
mod common;
mod join;
mod seal;
mod tls;
