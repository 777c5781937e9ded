//! Who may import whom, as tables, checked on the real tree. It only reads.
//!
//! [`crates`] has the arrows between crates, [`modules`] the layers inside `host/src`. A new crate or module is entered there, in
//! the commit that creates it; what is in no table is refused.

mod crates;
mod modules;
mod paths;

use std::path::Path;

use crate::Failure;

/// Checks both tables against the tree; the error lists every arrow that points the wrong way.
pub(crate) fn check(root: &Path) -> Result<(), Failure> {
    let mut wrong = crates::check(root)?;
    wrong.extend(modules::check(root)?);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new("the layering of the workspace is broken")
        .with_lines(wrong)
        .next("move the code to the layer that may know both, or change the tables in xtask/src/layers and say why in the commit"))
}
