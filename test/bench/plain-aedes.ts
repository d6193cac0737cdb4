// The peer: aedes as it comes, which acknowledges before anything is safe. In a process of its own.
import { createServer } from 'node:net'
import { Aedes } from 'aedes'

const broker = await Aedes.createBroker()
const server = createServer({ noDelay: true }, (socket) => {
  broker.handle(socket)
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ ports: { mqtt: (server.address() as { port: number }).port } })))
