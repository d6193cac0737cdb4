// Certificates for a test: minted once per file into a folder of its own.
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mintCertificates } from '../../device-sim/certs.ts'

export async function mintForTest(ids: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'weir-certs-'))
  const devices = ids.map((id) => ({ id, tenant: 'acme', site: 'site-1' }))
  await mintCertificates(devices, {
    out: folder,
    now: Date.now(),
    days: 1,
    hosts: ['localhost', '127.0.0.1'],
    region: 'us-east-1',
    account: '123456789012',
    product: 'coldchain',
  })
  const read = (name: string) => readFile(join(folder, name), 'utf8')
  const server = {
    cert: await read('server.pem'),
    key: await read('server.key'),
    ca: await read('ca.pem'),
    requestCert: true,
    rejectUnauthorized: true,
  }
  return { folder, server }
}
