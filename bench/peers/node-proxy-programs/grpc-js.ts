import * as grpc from '@grpc/grpc-js';

const [port, originPort, path] = process.argv.slice(2);
const asIs = (bytes: Buffer): Buffer => bytes;
const client = new grpc.Client(`127.0.0.1:${originPort}`, grpc.credentials.createInsecure());
const server = new grpc.Server();

server.addService(
  {
    unary: {
      path: path ?? '',
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  },
  {
    unary(call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>): void {
      client.makeUnaryRequest(path ?? '', asIs, asIs, call.request, call.metadata, (error, value) => {
        if (error === null) answer(null, value);
        else answer(error);
      });
    },
  },
);
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
