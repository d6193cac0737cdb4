// A device in a process of its own, so that what it waits is the gateway's doing: publishes at QoS 1 all the time, and tells on request what it waited since the last request.
import { connectAsync } from 'mqtt'

const pauseMs = 20
const client = await connectAsync(`mqtt://127.0.0.1:${process.argv[2]}`, { clientId: 'honest', reconnectPeriod: 0 })
let times: number[] = []

process.on('message', () => {
  const ordered = times.toSorted((a, b) => a - b)
  const at = (share: number) => ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * share))] ?? 0
  times = []
  process.send!({ count: ordered.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) })
})
process.on('disconnect', () => process.exit())
client.on('close', () => process.exit(1))
process.send!('connected')

for (;;) {
  const began = performance.now()
  await client.publishAsync('dt/coldchain/acme/s/honest/telemetry', '{"n":1}', { qos: 1 })
  times.push(performance.now() - began)
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
}
