//! Calls that come in lanes. They are taken and answered as a good shim does it; what is wrong is done in between.

use std::io;
use std::sync::Arc;

use cofferdam_channel::lane::{self, Region};
use cofferdam_channel::protocol::call::Fault as Told;
use cofferdam_channel::{Answer, Incoming, ServerConfig, Service};
use cofferdam_faults::Stage;

use crate::spoil;
use crate::world::World;

/// The limit of the test's host, and more than any of its calls has.
const PAYLOAD_BYTES_MAX: u32 = 16 << 20;

/// Takes calls from here on.
pub(crate) fn serve(region: Region, world: &Arc<World>) -> io::Result<()> {
    let config = ServerConfig {
        running_max: 2,
        payload_bytes_max: PAYLOAD_BYTES_MAX,
        name: "call".to_owned(),
        run_in: |run| run(),
    };
    // Whoever writes garbage finds it, too, and goes on all the same.
    let server = lane::serve(Arc::new(region), Arc::new(Called(world.clone())), config, Box::new(|_| {}))?;
    // Set once, here.
    let _ = world.server.set(server);
    Ok(())
}

struct Called(Arc<World>);

impl Service for Called {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Answer<'_>) -> Result<(), Told> {
        let world = &self.0;
        // Before anything is written there that is not an argument.
        let argument = call.payload.to_vec();
        if call.operation == "Linger" {
            world.linger();
        }
        answer.write(&world.answer_to(call.operation, argument));
        let wrong = if call.operation == "Act" { world.wrong(Stage::Calling) } else { None };
        if let Some(fault) = wrong {
            if let Err(error) = spoil::spoil(fault, world, (call.call, answer.len() as u32)) {
                answer.replace(error.to_string().as_bytes());
                return Err(Told::Internal);
            }
            world.has_done_wrong();
        }
        Ok(())
    }
}
