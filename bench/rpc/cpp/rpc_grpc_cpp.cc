// C++ gRPC's echo server for bench/rpc, by its callback API; one thread of work.
#include <grpcpp/grpcpp.h>

#include <iostream>

#include "echo.grpc.pb.h"

class EchoServer final : public bench::v1::EchoService::CallbackService {
    grpc::ServerUnaryReactor *Echo(grpc::CallbackServerContext *context,
                                   const bench::v1::EchoMessage *request,
                                   bench::v1::EchoMessage *response) override {
        *response = *request;
        auto *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

int main() {
    EchoServer service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    auto server = builder.BuildAndStart();
    std::cout << "listening on 127.0.0.1:" << port << std::endl;
    server->Wait();
}
