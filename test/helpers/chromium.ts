// A page in headless Chromium, asked over its debugging pipe: what it drew, what it said, what it wanted from the network.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { aDirectory } from './program.ts'

export interface Page {
  /** URLs that were asked for. */
  readonly requests: readonly string[]
  /** Errors and warnings of the console, and uncaught exceptions. */
  readonly complaints: readonly string[]
  evaluate<T>(expression: string): Promise<T>
  media(settings: { readonly media?: 'screen' | 'print'; readonly scheme?: 'light' | 'dark' }): Promise<void>
  /** PNG of the window, or of a part of the page, in CSS pixels. */
  screenshot(clip?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }): Promise<Buffer>
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, never>
  readonly result?: Record<string, never>
  readonly error?: { readonly message: string }
}

/** Opens a file with no network at all. Closed when the test ends. */
export async function openPage(url: string, { width = 1_200, height = 900 } = {}): Promise<Page> {
  const profile = `--user-data-dir=${aDirectory()}`
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--hide-scrollbars',
    '--remote-debugging-pipe',
    profile,
  ]
  const child = spawn('chromium', [...flags, `--window-size=${width},${height}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  onTestFinished(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  })
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable]
  const waiting = new Map<number, { resolve(result: never): void; reject(error: Error): void }>()
  const requests: string[] = []
  const complaints: string[] = []
  const loaded = Promise.withResolvers<void>()
  const onMessage = ({ id, method, params = {}, result, error }: Message) => {
    if (id !== undefined) error ? waiting.get(id)?.reject(new Error(error.message)) : waiting.get(id)?.resolve(result as never)
    const told = params as Record<string, { url?: string; level?: string; text?: string }>
    if (method === 'Network.requestWillBeSent') requests.push(String(told.request?.url))
    if (method === 'Log.entryAdded' && told.entry?.level !== 'verbose') complaints.push(String(told.entry?.text))
    if (method === 'Runtime.exceptionThrown' || method === 'Runtime.consoleAPICalled') complaints.push(JSON.stringify(params))
    if (method === 'Page.loadEventFired') loaded.resolve()
  }
  let torn = ''
  output.setEncoding('utf8').on('data', (text: string) => {
    const parts = (torn + text).split('\0')
    torn = parts.pop() ?? ''
    for (const part of parts) onMessage(JSON.parse(part))
  })
  let last = 0
  let sessionId: string | undefined
  const send = <T>(method: string, params: object = {}): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, { resolve, reject })
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) })}\0`)
    })
  const { targetInfos } = await send<{ targetInfos: { targetId: string; type: string }[] }>('Target.getTargets')
  const { targetId } = targetInfos.find(({ type }) => type === 'page')!
  ;({ sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true }))
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`)
  await send('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 })
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
  await send('Page.navigate', { url })
  await loaded.promise
  return {
    requests,
    complaints,
    async evaluate(expression) {
      const { result } = await send<{ result: { value: never } }>('Runtime.evaluate', { expression, returnByValue: true })
      return result.value
    },
    media: ({ media = 'screen', scheme = 'light' }) =>
      send('Emulation.setEmulatedMedia', { media, features: [{ name: 'prefers-color-scheme', value: scheme }] }),
    async screenshot(clip) {
      const part = clip && { clip: { ...clip, scale: 1 }, captureBeyondViewport: true }
      const { data } = await send<{ data: string }>('Page.captureScreenshot', { format: 'png', ...part })
      return Buffer.from(data, 'base64')
    },
  }
}
