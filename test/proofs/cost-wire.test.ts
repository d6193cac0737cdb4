// The bytes that a measured run counts, against a packet capture of the same connections on loopback.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Found } from '../../cost/run/reckon.ts'
import { measure } from '../../cost/run/run.ts'
import { scenarioOf } from '../../cost/run/scenario.ts'
import { type TransportName, transportNames } from '../../cost/run/transports.ts'
import { addBytes, type Bytes } from '../../cost/wire.ts'
import { systemClock } from '../../lib/clock.ts'
import { aDirectory, hasProgram } from '../helpers/program.ts'

const missing = process.getuid?.() !== 0 ? 'only root may capture' : ['tcpdump', 'ss'].find((name) => !hasProgram(name))
const allowed = 0.03

test.skipIf(missing !== undefined)(
  `wire bytes of each transport are those of a capture, within 3 %${missing ? ` (skipped: ${missing})` : ''}`,
  { timeout: 180_000 },
  async () => {
    const directory = aDirectory()
    const captures = new Map<TransportName, Capture>()
    const ends = new Map<TransportName, Found>()
    await measure({
      scenario: await scenarioOf({ devices: 20 }),
      transports: transportNames,
      clock: systemClock,
      signal: new AbortController().signal,
      async onPort(name, port) {
        captures.set(name, await capture(port, join(directory, `${name}.pcap`)))
      },
      onPhase: (name, _, found) => void ends.set(name, found),
    })
    const rows = []
    for (const [name, found] of ends) {
      const { totals, kernel } = found.end
      const counted = addBytes(totals.ciphertext, kernel!.headers)
      const captured = await captures.get(name)!.bytes()
      rows.push({ name, counted, captured, up: counted.up / captured.up - 1, down: counted.down / captured.down - 1 })
    }
    console.log('| transport | up: counted | captured | | down: counted | captured | |\n|---|---:|---:|---:|---:|---:|---:|')
    for (const { name, counted, captured, up, down } of rows)
      console.log(`| ${[name, counted.up, captured.up, percent(up), counted.down, captured.down, percent(down)].join(' | ')} |`)
    expect(rows.map(({ name }) => name)).toEqual(transportNames)
    for (const { name, up, down } of rows) {
      expect(Math.abs(up), `${name} up`).toBeLessThan(allowed)
      expect(Math.abs(down), `${name} down`).toBeLessThan(allowed)
    }
  },
)

const percent = (share: number) => `${(100 * share).toFixed(2)} %`

interface Capture {
  /** IP packets to and from the port, headers included. */
  bytes(): Promise<Bytes>
}

async function capture(port: number, file: string): Promise<Capture> {
  const child = spawn('tcpdump', ['-i', 'lo', '-n', '-s', '96', '-B', '16384', '--immediate-mode', '-U', '-w', file, `tcp port ${port}`])
  const finished = once(child, 'close')
  await new Promise<void>((resolve) => child.stderr.on('data', (chunk) => String(chunk).includes('listening on') && resolve()))
  return {
    async bytes() {
      child.kill('SIGINT')
      await finished
      return sumOf(await readFile(file), port)
    },
  }
}

/** A pcap file: 24 bytes, then packets of 16 bytes before each; Ethernet 14, then IPv4 with its length at 2 and TCP's ports after it. */
function sumOf(pcap: Buffer, port: number): Bytes {
  const sum = { up: 0, down: 0 }
  for (let at = 24; at + 16 <= pcap.length; ) {
    const ip = at + 16 + 14
    const tcp = ip + (pcap[ip]! & 0x0f) * 4
    if (pcap[ip]! >> 4 === 4) sum[pcap.readUInt16BE(tcp + 2) === port ? 'up' : 'down'] += pcap.readUInt16BE(ip + 2)
    at += 16 + pcap.readUInt32LE(at + 8)
  }
  return sum
}
