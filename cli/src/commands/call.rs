//! `cofferdam call`: one call to an actor of the running host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cofferdam_claims::KeyKind;
use cofferdam_host::control::protocol::CALL_TIMEOUT_MAX;
use cofferdam_host::control::{CallRequest, ClientError, PsReport};

use crate::connect::ConnectArgs;
use crate::failure::{Exit, Failure};
use crate::inputs;
use crate::message::{self, Unpackable};
use crate::output::{Output, OutputFormat};

/// The largest argument that is read; the host's own limit may be lower.
const ARGUMENT_BYTES_MAX: u64 = 16 << 20;
/// Stands for it in errors.
const STDIN: &str = "standard input";
/// Characters of a public key.
const KEY_CHARS: usize = 56;

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

const ACTORS_LISTED: &str = "give an actor's key (M…) or call alias; `cofferdam ps` lists both";

const AFTER_HELP: &str = "\
Example:
  cofferdam call MDGP… HandleRequest '{\"method\": \"GET\", \"path\": \"/\", \"queryString\": \"\", \"header\": {}, \"body\": {\"$bytes\": \"\"}}'";

pub(crate) fn execute(args: CallArgs, output: &Output) -> Result<(), Failure> {
    refuse_other_keys(&args.actor)?;
    let payload = payload(&args)?;
    let timeout_ms = timeout_ms(args.timeout)?;
    let name = args.actor.clone();
    let request = CallRequest { actor: args.actor, operation: args.operation, payload, timeout_ms };
    let answer = args.connect.ask(async |mut client| match client.call(request).await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let answered = matches!(error, ClientError::Answered(_));
            let mut failure = Failure::from(error);
            // The report is only for the text: where there is none, the failure says what it has to all the same.
            if let Some(ps) = if answered { client.ps().await.ok() } else { None } {
                failure.report.message.push_str(&who_is(&name, &ps).unwrap_or_default());
            }
            Err(failure)
        }
    })?;
    if args.raw {
        return output.bytes(&answer);
    }
    let json = message::unpack(&answer);
    output.result(&json, || format!("{json:#}\n"))?;
    if output.format == OutputFormat::Text && json.get("$bytes").is_some() && !answer.is_empty() {
        output.note("note: the answer is bytes, or no single MessagePack value; --raw prints it as it is");
    }
    Ok(())
}

/// A key of another kind, or one that was copied wrong, is told before anybody is asked.
fn refuse_other_keys(actor: &str) -> Result<(), Failure> {
    let like_a_key = actor.len() == KEY_CHARS && actor.chars().all(|c| matches!(c, 'A'..='Z' | '2'..='7'));
    if !like_a_key {
        return Ok(());
    }
    let (whose, next) = match KeyKind::of(actor)? {
        Some(KeyKind::Actor) => return Ok(()),
        Some(KeyKind::Provider) => {
            ("a provider's", "call an actor that is linked to it; `cofferdam ps` lists the links")
        }
        Some(KeyKind::Account) => ("an account's", ACTORS_LISTED),
        Some(KeyKind::Host) => ("a host's", ACTORS_LISTED),
        Some(KeyKind::Operator) => ("an operator's", ACTORS_LISTED),
        None => ("somebody else's", ACTORS_LISTED),
    };
    let message = format!("{actor} is {whose} key, and only actors can be called");
    Err(Failure::new(Exit::Usage, "not_an_actor", message, next))
}

/// Whom a name that is no key stands for: what failed is an actor, and people who read of it look for its key.
fn who_is(name: &str, ps: &PsReport) -> Option<String> {
    if ps.actors.iter().any(|actor| actor.id == name) {
        return None;
    }
    if let Some(actor) = ps.actors.iter().find(|actor| actor.call_alias.as_deref() == Some(name)) {
        return Some(format!(" ({name} is the call alias of actor {})", actor.id));
    }
    let named = ps.actors.iter().find(|actor| actor.name.eq_ignore_ascii_case(name))?;
    Some(format!(" ({name} is no call alias; it is the name of actor {})", named.id))
}

fn payload(args: &CallArgs) -> Result<Vec<u8>, Failure> {
    let Some(argument) = &args.argument else { return Ok(Vec::new()) };
    let (origin, bytes) = match (argument.as_str(), argument.strip_prefix('@')) {
        ("-", _) => (STDIN.to_owned(), inputs::read_stdin(ARGUMENT_BYTES_MAX)?),
        (_, Some(path)) => (path.to_owned(), inputs::read_file(&PathBuf::from(path), ARGUMENT_BYTES_MAX)?),
        (text, None) => ("the argument".to_owned(), text.as_bytes().to_vec()),
    };
    if args.raw {
        return Ok(bytes);
    }
    if bytes.trim_ascii().is_empty() {
        let next = "give one JSON value there, or leave the argument out for an empty payload";
        return Err(Failure::new(Exit::Usage, "argument", format!("{origin} is empty, which is no JSON"), next));
    }
    message::pack(&bytes).map_err(|Unpackable(why)| {
        let message = format!("{origin} cannot be sent as MessagePack: {why}");
        Failure::new(Exit::Usage, "argument", message, next_for(&origin))
    })
}

fn next_for(origin: &str) -> String {
    let place = match origin {
        STDIN => "there",
        path if Path::new(path).is_file() => "in the file",
        _ => "in single quotes",
    };
    format!("give one JSON value {place}, or --raw to send the bytes as they are")
}

fn timeout_ms(timeout: Duration) -> Result<u64, Failure> {
    let fits = (Duration::from_millis(1)..=CALL_TIMEOUT_MAX).contains(&timeout);
    u64::try_from(timeout.as_millis()).ok().filter(|_| fits).ok_or_else(|| {
        let message = format!("--timeout {timeout:?}: a call may take from 1 ms to {CALL_TIMEOUT_MAX:?}");
        Failure::new(Exit::Usage, "usage", message, "give a time between them")
    })
}

#[cfg(test)]
mod tests {
    use cofferdam_host::control::ActorReport;

    use super::*;

    #[test]
    fn a_name_is_told_by_whose_it_is() {
        let named = |id: &str, name: &str, alias: Option<&str>| ActorReport {
            id: id.to_owned(),
            name: name.to_owned(),
            call_alias: alias.map(str::to_owned),
            ..ActorReport::default()
        };
        let ps = PsReport {
            actors: vec![named("MA", "Echo", Some("echo_actor")), named("MB", "echo_actor", None)],
            ..PsReport::default()
        };
        let cases = [
            ("MA", None),
            ("nobody", None),
            ("echo_actor", Some(" (echo_actor is the call alias of actor MA)")),
            ("echo", Some(" (echo is no call alias; it is the name of actor MA)")),
        ];
        for (name, expected) in cases {
            assert_eq!(who_is(name, &ps).as_deref(), expected, "{name}");
        }
    }
}
