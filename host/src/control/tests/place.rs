//! Whose place the socket is: of a second host, of many at once, of a dead one, of a stranger.

use super::*;

#[tokio::test]
async fn a_second_host_is_told_the_first_ones_pid() {
    let bench = Bench::start().await;
    let second = Server::start(bench.server.path(), Arc::new(Echo::default())).await.err().unwrap();
    assert!(second.to_string().contains("another host (pid 4711)"), "{second}");
    assert_eq!(second.report().kind, "host_running");
    assert_eq!(bench.client().await.ps().await.unwrap().pid, 4711, "the first one goes on");
}

#[tokio::test]
async fn of_many_hosts_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    for _ in 0..20 {
        let starts = (0..8).map(|_| {
            let path = path.clone();
            tokio::spawn(async move { Server::start(&path, Arc::new(Echo::default())).await })
        });
        let mut won = Vec::new();
        for start in starts.collect::<Vec<_>>() {
            match start.await.unwrap() {
                Ok(server) => won.push(server),
                Err(error) => assert_eq!(error.report().kind, "host_running", "{error}"),
            }
        }
        assert_eq!(won.len(), 1);
        assert_eq!(Client::connect(&path).await.unwrap().ps().await.unwrap().pid, 4711);
        won.remove(0).stop().await;
    }
}

#[tokio::test]
async fn the_socket_of_a_dead_host_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    // A listener that is dropped leaves its file, as a killed host does; so does a lock that nobody holds.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    fs::write(folder.path().join("x.sock.lock"), b"").unwrap();
    let server = Server::start(&path, Arc::new(Echo::default())).await.unwrap();
    assert_eq!(Client::connect(&path).await.unwrap().ps().await.unwrap().pid, 4711);
    server.stop().await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (file, strange) = (folder.path().join("file"), folder.path().join("strange.sock"));
    fs::write(&file, b"precious").unwrap();
    // Somebody listens and never answers, and holds no lock of ours.
    let listener = std::os::unix::net::UnixListener::bind(&strange).unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let long = folder.path().join("x".repeat(108));
    let under_file = file.join("x.sock");
    let cases: [(&PathBuf, &str); 5] = [
        (&file, "socket_not_a_socket"),
        (&strange, "host_running"),
        (&open.join("x.sock"), "socket_folder_unsafe"),
        (&long, "socket_path_too_long"),
        (&under_file, "socket_failed"),
    ];
    for (path, kind) in cases {
        let error = Server::start(path, Arc::new(Echo::default())).await.err().unwrap();
        assert_eq!(error.report().kind, kind, "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert!(strange.exists());
    assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
    drop(listener);
    // A folder of the sticky kind, such as /tmp, is as good as one's own.
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
    Server::start(&open.join("x.sock"), Arc::new(Echo::default())).await.unwrap().stop().await;
}
