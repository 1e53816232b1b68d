//! tonic's echo server for bench/rpc, on tokio's single-threaded runtime.
use tonic::{transport::Server, Request, Response, Status};

mod echo {
    tonic::include_proto!("bench.v1");
}
use echo::echo_service_server::{EchoService, EchoServiceServer};
use echo::EchoMessage;

struct Echo;

#[tonic::async_trait]
impl EchoService for Echo {
    async fn echo(&self, request: Request<EchoMessage>) -> Result<Response<EchoMessage>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    Server::builder()
        .tcp_nodelay(true)
        .add_service(EchoServiceServer::new(Echo))
        .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener))
        .await?;
    Ok(())
}
