//! `cofferdam call`: one call to an actor of the running host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cofferdam_host::control::CallRequest;
use cofferdam_host::control::protocol::CALL_TIMEOUT_MAX;

use crate::connect::ConnectArgs;
use crate::failure::{Exit, Failure};
use crate::inputs;
use crate::message::{self, Unpackable};
use crate::output::{Output, OutputFormat};

/// The largest argument that is read; the host's own limit may be lower.
const ARGUMENT_BYTES_MAX: u64 = 16 << 20;

/// Call an actor of the running host
///
/// The argument is JSON and is sent as MessagePack; the answer comes back as JSON. Bytes are {"$bytes": "base64"}.
/// Without an argument the payload is empty.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct CallArgs {
    /// The actor's public key (M…) or call alias
    actor: String,
    /// The operation, such as HandleRequest
    operation: String,
    /// JSON, @FILE to read it from a file, or - for standard input
    argument: Option<String>,
    /// Send the argument and print the answer as they are, without conversion
    #[arg(long)]
    raw: bool,
    /// How long the call may take
    #[arg(long, default_value = "2s", value_parser = inputs::duration, value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    connect: ConnectArgs,
}

const AFTER_HELP: &str = "\
Example:
  cofferdam call MDGP… HandleRequest '{\"method\": \"GET\", \"path\": \"/\", \"queryString\": \"\", \"header\": {}, \"body\": {\"$bytes\": \"\"}}'";

pub(crate) fn execute(args: CallArgs, output: &Output) -> Result<(), Failure> {
    let payload = payload(&args)?;
    let timeout_ms = timeout_ms(args.timeout)?;
    let request = CallRequest { actor: args.actor, operation: args.operation, payload, timeout_ms };
    let answer = args.connect.ask(async |mut client| Ok(client.call(request).await?))?;
    if args.raw {
        output.bytes(&answer);
        return Ok(());
    }
    let json = message::unpack(&answer);
    output.result(&json, || format!("{json:#}\n"));
    if output.format == OutputFormat::Text && json.get("$bytes").is_some() && !answer.is_empty() {
        output.note("note: the answer is bytes, or no single MessagePack value; --raw prints it as it is");
    }
    Ok(())
}

fn payload(args: &CallArgs) -> Result<Vec<u8>, Failure> {
    let Some(argument) = &args.argument else { return Ok(Vec::new()) };
    let (origin, bytes) = match (argument.as_str(), argument.strip_prefix('@')) {
        ("-", _) => ("standard input".to_owned(), inputs::read_stdin(ARGUMENT_BYTES_MAX)?),
        (_, Some(path)) => (path.to_owned(), inputs::read_file(&PathBuf::from(path), ARGUMENT_BYTES_MAX)?),
        (text, None) => ("the argument".to_owned(), text.as_bytes().to_vec()),
    };
    if args.raw {
        return Ok(bytes);
    }
    message::pack(&bytes).map_err(|Unpackable(why)| {
        let message = format!("{origin} cannot be sent as MessagePack: {why}");
        Failure::new(Exit::Usage, "argument", message, next_for(&origin))
    })
}

fn next_for(origin: &str) -> String {
    let is_file = Path::new(origin).is_file();
    let place = if is_file { "in the file" } else { "in single quotes" };
    format!("give one JSON value {place}, or --raw to send the bytes as they are")
}

fn timeout_ms(timeout: Duration) -> Result<u64, Failure> {
    let fits = (Duration::from_millis(1)..=CALL_TIMEOUT_MAX).contains(&timeout);
    u64::try_from(timeout.as_millis()).ok().filter(|_| fits).ok_or_else(|| {
        let message = format!("--timeout {timeout:?}: a call may take from 1 ms to {CALL_TIMEOUT_MAX:?}");
        Failure::new(Exit::Usage, "usage", message, "give a time between them")
    })
}
