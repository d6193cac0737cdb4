// Plays the packet sequences of Eclipse Mosquitto's tests against Weir, or against any broker by its address, and prints a score.
// The sequences come from a checkout of Mosquitto; nothing of it is kept here.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Address, listens, play, type Result, scores } from './play.ts'
import { readSequences, type Sequence } from './sequences.ts'

const help = `Plays the packet sequences of Eclipse Mosquitto's own tests against a broker, and prints a score.

Usage: node test/conformance/mosquitto.ts --suite <dir> [options]

  --suite <dir>         a checkout of eclipse/mosquitto, or its folder test/broker/data
  --broker <host:port>  play against this broker (default: start Weir, and start it again when it ends)
  --file <name>         play only this file, such as PUBLISH.json
  --wait <ms>           how long to wait for an answer (default: 1000)
  --differences         print each case that does not pass by meaning, with its reason
  -h, --help

Three scores, each including the one before:
  exact     every packet has the bytes that the sequence names, as Mosquitto's own script demands
  meaning   every packet means the same. Not compared: properties of CONNACK and of acknowledgements, packet identifiers that
            the broker chooses, 0x81 against 0x82, and a DISCONNECT or a refusing CONNACK before the close that is expected
  lenient   a refusal may have another reason code, or be a close without one

A case uses QoS 2 when one of its packets is a PUBLISH, a SUBSCRIBE or a will of QoS 2, or a PUBREC, PUBREL or PUBCOMP.

Examples:
  $ git clone --branch develop https://github.com/eclipse/mosquitto
  $ node test/conformance/mosquitto.ts --suite mosquitto
  $ mosquitto -p 1884 & node test/conformance/mosquitto.ts --suite mosquitto --broker 127.0.0.1:1884`

interface Broker {
  /** Where it listens now; starts it again when it has ended. */
  address(): Promise<Address>
  /** Whether it has ended since its address was asked for. */
  hasEnded(): Promise<boolean>
  stop(): Promise<void>
}

const { values: flags } = parseArgs({
  options: {
    suite: { type: 'string' },
    broker: { type: 'string' },
    file: { type: 'string' },
    wait: { type: 'string', default: '1000' },
    differences: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

if (flags.help || flags.suite === undefined) {
  console.log(help)
  process.exit(flags.help ? 0 : 2)
}

const inside = join(flags.suite, 'test/broker/data')
const folder = existsSync(inside) ? inside : flags.suite
const files = readdirSync(folder).filter((name) => name.endsWith('.json') && (!flags.file || name === flags.file))
const broker = flags.broker === undefined ? createWeir() : createRemote(flags.broker)
const all: Scored[] = []
let deaths = 0
for (const file of files.toSorted()) {
  const played: Scored[] = []
  for (const sequence of readSequences(JSON.parse(readFileSync(join(folder, file), 'utf8')))) {
    const result = await play(sequence, await broker.address(), Number(flags.wait))
    const ended = await broker.hasEnded()
    if (ended) deaths++
    played.push({ ...(ended ? { score: 'none', reason: 'the broker ended' } : result), sequence, file })
  }
  all.push(...played)
  console.log(`${file.padEnd(24)} ${played.filter(({ score }) => score !== 'none').length} of ${played.length}`)
}
await broker.stop()

if (flags.differences) {
  for (const { file, sequence, reason } of all.filter(({ score }) => score === 'none' || score === 'lenient')) {
    console.log(`${file} | ${sequence.name} | ${sequence.usesQos2 ? 'QoS 2 | ' : ''}${reason ?? 'another reason code'}`)
  }
}
console.log(`\n${''.padEnd(28)} ${['cases', 'exact', 'meaning', 'lenient'].map((name) => name.padStart(8)).join('')}`)
for (const version of ['3.1.1', '5'] as const) {
  const cases = all.filter(({ sequence }) => sequence.group === version)
  printScore(`MQTT ${version}`, cases)
  printScore(`MQTT ${version} without QoS 2`, withoutQos2(cases))
}
console.log(`\nthe broker ended ${deaths} times`)

type Scored = Result & { readonly sequence: Sequence; readonly file: string }

function withoutQos2(cases: readonly Scored[]): readonly Scored[] {
  return cases.filter(({ sequence }) => !sequence.usesQos2)
}

function printScore(name: string, cases: readonly Scored[]): void {
  const passed = scores.slice(0, -1).map((_, i) => cases.filter(({ score }) => scores.indexOf(score) <= i).length)
  console.log(`${name.padEnd(28)} ${[cases.length, ...passed].map((count) => String(count).padStart(8)).join('')}`)
}

function createRemote(address: string): Broker {
  const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? []
  if (!host) throw new Error(`--broker "${address}" is not host:port`)
  const listening = { host, port: Number(port) }
  return {
    address: async () => listening,
    async hasEnded() {
      if (await listens(listening)) return false
      throw new Error(`${address} does not listen any more; start the broker again`)
    },
    stop: async () => {},
  }
}

/** Weir in a process of its own, with the rates of AWS IoT Core off: hundreds of sequences connect in a second. */
function createWeir(): Broker {
  const dir = mkdtempSync(join(tmpdir(), 'weir-conformance-'))
  const config = join(dir, 'gateway.json')
  const off = ['connectsPerClientPerSecond', 'connectsPerSecond', 'publishesPerSecond', 'bytesPerSecond', 'retainsPerTopicPerSecond']
  writeFileSync(config, JSON.stringify({ access: { limits: Object.fromEntries(off.map((name) => [name, 'off'])) } }))
  const ports = ['mqtt-ws', 'http', 'websocket', 'admin', 'aws'].flatMap((name) => [`--${name}-port`, '0'])
  const weir = fileURLToPath(new URL('../../bin/weir.ts', import.meta.url))
  let running: { readonly address: Address; readonly exited: Promise<unknown>; readonly stop: () => void } | undefined
  const start = async () => {
    const args = [weir, 'gateway', '--config', config, '--data-dir', join(dir, 'data'), '--mqtt-port', '0', ...ports]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const exited = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout! })) {
      if (!line.includes('gateway.ready')) continue
      child.stdout!.resume()
      return { address: { host: '127.0.0.1', port: JSON.parse(line).ports.mqtt as number }, exited, stop: () => child.kill('SIGTERM') }
    }
    throw new Error('weir gateway ended before it was ready; run it by hand to see why')
  }
  return {
    async address() {
      running ??= await start()
      return running.address
    },
    async hasEnded() {
      if (!running || (await listens(running.address))) return false
      await running.exited
      running = undefined
      return true
    },
    async stop() {
      running?.stop()
      await running?.exited
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
