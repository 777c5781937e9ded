//! The example that the reference's documentation begins with, almost word for word.

use std::collections::HashMap;

use cofferdam_host::{Actor, HostBuilder, NativeCapability, ProviderArchive};
use cofferdam_tests::{artifacts, http};

#[tokio::test(flavor = "multi_thread")]
async fn echo_answers_over_http() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let wasm = artifacts::sign("echo", &artifacts::guest("echo"), &["wasmcloud:httpserver"], None);
    std::fs::write(folder.path().join("echo.wasm"), wasm)?;
    let port = http::free_port();

    let host = HostBuilder::new().with_state_dir(folder.path().join("state")).with_shim(artifacts::shim()).build();
    host.start().await?;

    let echo = Actor::from_file(folder.path().join("echo.wasm"))?;
    let actor_id = echo.public_key();
    host.start_actor(echo).await?;

    let arc: ProviderArchive = artifacts::archive("httpserver", "wasmcloud:httpserver");
    let websrv = NativeCapability::from_archive(&arc, None)?;
    let websrv_id = websrv.id();

    let mut webvalues: HashMap<String, String> = HashMap::new();
    webvalues.insert("PORT".to_string(), format!("{port}"));
    host.start_native_capability(websrv).await?;
    host.set_link(&actor_id, "wasmcloud:httpserver", None, websrv_id, webvalues).await?;

    let url = format!("http://localhost:{port}/demo?test=kthxbye");
    let (status, body) = http::get_async(url).await?;
    assert_eq!(status, 200, "{body}");
    let v: serde_json::Value = serde_json::from_str(&body)?;
    assert_eq!("test=kthxbye", v["query_string"].as_str().ok_or("no query_string")?);

    host.stop().await;
    Ok(())
}
