/** What is this machine by its very name, in the one place that says so. */

/** Whether a URL's host is this machine by its very name: `localhost`, `*.localhost` (RFC 6761 §6.3), 127.0.0.0/8, `[::1]`. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  return host === '[::1]' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host) || /^(.+\.)?localhost$/.test(host);
}
