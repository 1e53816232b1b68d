// A gRPC server by grpc-go for legacy.proto: its types are dynamic, from a descriptor set.
//
//	grpc_go DESCRIPTOR_SET v1|v1alpha
//
// It has reflection of the version named, listens on a free loopback port and prints its address.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

type shop struct {
	order, receipt protoreflect.MessageDescriptor
}

func (s *shop) receiptOf(order *dynamicpb.Message, count int) *dynamicpb.Message {
	receipt := dynamicpb.NewMessage(s.receipt)
	receipt.Set(s.receipt.Fields().ByName("order"), protoreflect.ValueOfMessage(order))
	receipt.Set(s.receipt.Fields().ByName("count"), protoreflect.ValueOfInt32(int32(count)))
	return receipt
}

func (s *shop) amount(order *dynamicpb.Message) int {
	return int(order.Get(s.order.Fields().ByName("amount")).Int())
}

func (s *shop) check(order *dynamicpb.Message) error {
	if s.amount(order) >= 0 {
		return nil
	}
	refused, err := status.New(codes.InvalidArgument, "that is less than nothing").WithDetails(
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "amount", Description: "must not be negative"}}})
	if err != nil {
		return err
	}
	return refused.Err()
}

// Metadata that begins with "x-" comes back, as headers and as trailers.
func echo(ctx context.Context) metadata.MD {
	echoed := metadata.MD{}
	received, _ := metadata.FromIncomingContext(ctx)
	for name, values := range received {
		if strings.HasPrefix(name, "x-") {
			echoed[name] = values
		}
	}
	return echoed
}

func (s *shop) place(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	order := dynamicpb.NewMessage(s.order)
	if err := decode(order); err != nil {
		return nil, err
	}
	grpc.SetHeader(ctx, echo(ctx))
	grpc.SetTrailer(ctx, echo(ctx))
	if err := s.check(order); err != nil {
		return nil, err
	}
	return s.receiptOf(order, 1), nil
}

// All kinds of streams: a receipt for each order, `amount` receipts for one, or one for all.
func (s *shop) stream(name string) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		count := 0
		last := dynamicpb.NewMessage(s.order)
		for {
			order := dynamicpb.NewMessage(s.order)
			if err := stream.RecvMsg(order); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
			if err := s.check(order); err != nil {
				return err
			}
			count++
			last = order
			if name == "Chat" {
				stream.SendMsg(s.receiptOf(order, count))
			}
			if name == "List" {
				for i := range s.amount(order) {
					stream.SendMsg(s.receiptOf(order, i+1))
				}
				return nil
			}
		}
		if name == "Fill" {
			return stream.SendMsg(s.receiptOf(last, count))
		}
		return nil
	}
}

func load(path string) (*protoregistry.Files, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(bytes, &set); err != nil {
		return nil, err
	}
	return protodesc.NewFiles(&set)
}

func run() error {
	files, err := load(os.Args[1])
	if err != nil {
		return err
	}
	found, err := files.FindDescriptorByName("legacy.v1.Shop")
	if err != nil {
		return err
	}
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	s := &shop{methods.ByName("Place").Input(), methods.ByName("Place").Output()}
	desc := &grpc.ServiceDesc{
		ServiceName: "legacy.v1.Shop",
		Methods:     []grpc.MethodDesc{{MethodName: "Place", Handler: s.place}},
		Streams: []grpc.StreamDesc{
			{StreamName: "List", Handler: s.stream("List"), ServerStreams: true},
			{StreamName: "Fill", Handler: s.stream("Fill"), ClientStreams: true},
			{StreamName: "Chat", Handler: s.stream("Chat"), ServerStreams: true, ClientStreams: true},
		},
	}
	server := grpc.NewServer()
	server.RegisterService(desc, nil)
	options := reflection.ServerOptions{Services: server, DescriptorResolver: files}
	if os.Args[2] == "v1" {
		reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(options))
	} else {
		reflectionv1alpha.RegisterServerReflectionServer(server, reflection.NewServer(options))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return server.Serve(listener)
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: grpc_go DESCRIPTOR_SET v1|v1alpha")
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
