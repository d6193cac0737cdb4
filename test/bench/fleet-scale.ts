// What a device and a message cost each MQTT driver: `node --expose-gc test/bench/fleet-scale.ts [driver] [devices]`, against a sink in a process of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createDevices } from '../../device-sim/device.ts'
import type { Session } from '../../device-sim/drivers/driver.ts'
import { drivers } from '../../device-sim/drivers/index.ts'
import { parseScenario } from '../../device-sim/scenario.ts'
import { systemClock } from '../../lib/clock.ts'

const name = process.argv[2] === 'mqtt-js' ? 'mqtt-js' : 'mqtt'
const devices = Number(process.argv[3] ?? 10_000)
const signal = new AbortController().signal

const sink = spawn(process.execPath, [new URL('./mqtt-sink.ts', import.meta.url).pathname], { stdio: ['ignore', 'pipe', 'inherit'] })
const { port } = JSON.parse(String((await once(sink.stdout, 'data'))[0]))
const target = new URL(`mqtt://127.0.0.1:${port}`)

const rss = () => {
  globalThis.gc?.()
  return process.memoryUsage().rss
}

const driver = drivers[name].create({ target, keepAliveMs: 60_000, clock: systemClock })
await (await driver.connect('warm-up', signal)).close()
const before = rss()
const fleet = createDevices(parseScenario({ devices }), 7, 0)
const withoutSessions = rss()
const sessions: Session[] = []
for (const batch of Array.from({ length: Math.ceil(devices / 100) }, (_, i) => fleet.slice(i * 100, i * 100 + 100))) {
  sessions.push(...(await Promise.all(batch.map(({ id }) => driver.connect(id, signal)))))
}
const after = rss()

const publish = async (some: readonly Session[], inFlight: number, total: number) => {
  const reading = fleet[0]!.take(1_000)[0]!
  const cpu = process.cpuUsage()
  const began = performance.now()
  for (let sent = 0; sent < total; ) {
    const waves: Promise<void>[] = []
    for (const session of some) for (let i = 0; i < inFlight; i++) waves.push(session.publish(reading))
    sent += waves.length
    await Promise.all(waves)
  }
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: Math.round((total * 1_000) / (performance.now() - began)), cpuMicros: Number(((user + system) / total).toFixed(2)) }
}
const oneEach = await publish(sessions, 1, devices * 10)
const windows = await publish(sessions.slice(0, 50), 50, 500_000)
const step = (() => {
  const cpu = process.cpuUsage()
  for (let i = 0; i < 20; i++) for (const device of fleet) device.take(i * 10_000)
  const { user, system } = process.cpuUsage(cpu)
  return Number(((user + system) / (20 * devices)).toFixed(2))
})()
const kibEach = (bytes: number) => Number((bytes / devices / 1024).toFixed(1))
console.log(
  JSON.stringify({
    driver: name,
    devices,
    kibPerSession: kibEach(after - withoutSessions),
    kibPerDevice: kibEach(after - before),
    oneEach,
    windows,
    readingMicros: step,
  }),
)
await Promise.all(sessions.map((session) => session.close()))
driver.stop()
sink.kill()
