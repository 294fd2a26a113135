//! What other services tell, and what follows from it here.

mod user;

pub(crate) use user::UserGone;
