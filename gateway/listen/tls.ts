// What the TLS doors have in common: who the gateway is, whom it trusts, and which certificates it asks for.
import { readFileSync } from 'node:fs'
import type { TlsOptions } from 'node:tls'
import { z } from 'zod'
import { GatewayError } from '../errors.ts'

export const tlsSchema = z.strictObject({
  cert: z.string().describe('path of the certificate of the gateway, PEM, with the chain to its root'),
  key: z.string().describe('path of its private key, PEM'),
  ca: z.string().describe('path of the certificates that sign device certificates, PEM'),
})

export type TlsConfig = z.infer<typeof tlsSchema>

/** PEM, not paths. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

/** Throws CONFIG_INVALID, naming the file that cannot be read. */
export function loadTls(config: TlsConfig): TlsFiles {
  const read = (name: keyof TlsConfig) => {
    try {
      return readFileSync(config[name], 'utf8')
    } catch (error) {
      throw new GatewayError('CONFIG_INVALID', `tls.${name}: ${config[name]} cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  return { cert: read('cert'), key: read('key'), ca: read('ca') }
}

const handshakeTimeoutMs = 10_000

/** TLS 1.3, and TLS 1.2 with forward secrecy and authenticated encryption: no CBC, no RSA key exchange [RFC 9325 §4.2]. */
const ciphers = [
  ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
].join(':')

/**
 * TLS 1.2 and 1.3 [AWS iot transport-security]. A client without a certificate that the CA signed has proven nothing: it goes on
 * to be identified by a password or a token, where a door takes those, and is nobody otherwise.
 */
export function toTlsOptions({ cert, key, ca }: TlsFiles): TlsOptions {
  return {
    ...{ cert, key, ca, minVersion: 'TLSv1.2', ciphers, handshakeTimeout: handshakeTimeoutMs },
    requestCert: true,
    rejectUnauthorized: false,
    // Long sessions outlive what was true of a certificate when they began.
    sessionTimeout: 3_600,
  }
}
