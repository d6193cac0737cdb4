// `weir command`: asks a device through a running gateway and prints its answer.
import { Argument, Command, Option } from 'commander'
import { printableText } from '../../lib/printable.ts'
import { toMs, toUrl } from './arguments.ts'
import { noGateway } from './reach.ts'

const examples = `
Examples:
  $ weir command freezer-00001 ping
  $ weir command freezer-00001 set-interval '{"ms":500}' --timeout 2s
  $ weir command freezer-00001 reboot --async

Exit code 1 when the device is unknown, offline, busy or does not answer in time.`

interface Flags {
  readonly admin: string
  readonly timeout: number
  readonly async?: true
  readonly idempotencyKey?: string
  readonly json?: true
}

/** How long the answer may take beyond the device's own deadline. */
const graceMs = 2_000

export function commandCommand(): Command {
  return new Command('command')
    .description('ask a device and print its answer')
    .argument('<device>', 'client id of the device')
    .argument('<name>', 'name of the command, such as ping')
    .addArgument(new Argument('[payload]', 'what the device is told with it').default('', 'nothing'))
    .addOption(new Option('--timeout <duration>', 'how long the device has').argParser(toMs).default(5_000, '5s'))
    .option('--async', 'do not wait: print where the answer will be')
    .option('--idempotency-key <key>', 'asked again with the same key, the device is not asked again')
    .option('--admin <url>', 'admin address of the gateway', toUrl, 'http://127.0.0.1:8080')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action(run)
}

async function run(device: string, name: string, payload: string, flags: Flags): Promise<void> {
  const { admin, timeout, json } = flags
  const url = `${admin}/api/devices/${encodeURIComponent(device)}/commands/${encodeURIComponent(name)}?timeout=${timeout}ms`
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    ...(flags.async ? { prefer: 'respond-async' } : {}),
    ...(flags.idempotencyKey === undefined ? {} : { 'idempotency-key': flags.idempotencyKey }),
  }
  const signal = AbortSignal.timeout(timeout + graceMs)
  const response = await fetch(url, { method: 'POST', headers, body: payload, signal }).catch((cause) => {
    throw noGateway(admin, cause)
  })
  if (!isWeirs(response)) throw noGateway(admin)
  const text = await response.text()
  const answer = {
    status: response.status,
    body: parsed(text),
    correlationId: response.headers.get('x-correlation-id'),
    ms: Number(response.headers.get('x-response-ms')) || null,
    ...(response.status === 202 ? { location: response.headers.get('location') } : {}),
  }
  if (json) process.stdout.write(`${printableText(JSON.stringify(answer))}\n`)
  else if (response.ok) process.stdout.write(`${printableText(response.status === 202 ? String(answer.location) : text)}\n`)
  else process.stderr.write(`${printableText(`${device}: ${(answer.body as { detail?: string })?.detail ?? text} (${response.status})`)}\n`)
  process.exitCode = response.ok ? 0 : 1
}

/** An answer carries its correlation id, a refusal is a problem document. */
function isWeirs({ ok, headers }: Response): boolean {
  return ok ? headers.has('x-correlation-id') : (headers.get('content-type') ?? '').startsWith('application/problem+json')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
