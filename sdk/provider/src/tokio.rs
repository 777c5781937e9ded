//! Calls to actors as futures, for providers that run an event loop. One [`Calls`] per runtime.
