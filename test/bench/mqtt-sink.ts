// The cheapest MQTT server there can be: accepts everybody, acknowledges everything, remembers nothing. Prints its port.
import { createServer } from 'node:net'
import { readPackets, type } from '../../device-sim/drivers/packets.ts'

const connack = Buffer.from([0x20, 2, 0, 0])
const pingresp = Buffer.from([0xd0, 0])

const server = createServer({ noDelay: true }, (socket) => {
  let torn: Uint8Array | undefined
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => {
    const answers: Buffer[] = []
    const rest = readPackets(torn ? Buffer.concat([torn, bytes as Buffer]) : (bytes as Buffer), (header, body) => {
      if (header === 0x10) answers.push(connack)
      else if (header === 0xc0) answers.push(pingresp)
      else if (header === 0x32) {
        const at = 2 + ((body[0]! << 8) | body[1]!)
        answers.push(Buffer.from([type.puback << 4, 2, body[at]!, body[at + 1]!]))
      }
    })
    torn = rest && Buffer.from(rest)
    if (answers.length) socket.write(answers.length === 1 ? answers[0]! : Buffer.concat(answers))
  })
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify(server.address())}\n`))
