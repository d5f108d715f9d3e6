export interface NginxConfOptions {
  /** Unix socket of the app. */
  readonly socket: string;
  /** Everything nginx writes goes here. */
  readonly dir: string;
  /** `127.0.0.1:8080` or `unix:/path`. */
  readonly listen: string;
  readonly pidFile: string;
  /** Idle upstream connections (32). */
  readonly keepalive?: number;
  readonly proxyRequestBuffering?: "on" | "off";
  readonly proxyBuffering?: "on" | "off";
  /** Cuts what is left after SIGQUIT, such as `5s`; never when absent. */
  readonly workerShutdownTimeout?: string;
  /** (1) */
  readonly workerProcesses?: number;
  /** User of the nginx workers; root may name one (root). */
  readonly user?: string;
  /** (`http://outrigger`, the upstream) */
  readonly proxyPass?: string;
  /** What follows the address in `listen`, such as `http2`. */
  readonly listenOptions?: string;
  /** What the client is said to speak (what it does). */
  readonly scheme?: string;
  /** What the client is said to have asked for (what it did). */
  readonly publicHost?: string;
  /** Further directives for the server. */
  readonly server?: string;
  /** Further directives for the proxying location. */
  readonly location?: string;
}

const TEMP_PATHS = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** Writes a whole nginx.conf around the upstream block our documentation recommends. */
export function nginxConf(options: NginxConfOptions): string {
  const { socket, dir, listen, pidFile } = options;
  const isRoot = process.getuid?.() === 0;
  return `daemon off;
${isRoot ? `user ${options.user ?? "root"};` : ""}
worker_processes ${options.workerProcesses ?? 1};
${options.workerShutdownTimeout === undefined ? "" : `worker_shutdown_timeout ${options.workerShutdownTimeout};`}
pid ${pidFile};
error_log ${dir}/error.log info;
events { worker_connections 4096; }
http {
${TEMP_PATHS.map((name) => `    ${name}_temp_path ${dir}/${name};`).join("\n")}
    log_format test '$status $upstream_status $request_method $request_uri';
    access_log ${dir}/access.log test;
    client_max_body_size 50m;
    upstream outrigger {
        server unix:${socket};
        keepalive ${options.keepalive ?? 32};
        keepalive_timeout 55s;
        keepalive_requests 10000;
    }
    map $http_upgrade $conn_up { default upgrade; '' ''; }
    server {
        listen ${listen} ${options.listenOptions ?? ""};
        ${options.server ?? ""}
        location / {
            proxy_pass ${options.proxyPass ?? "http://outrigger"};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $conn_up;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto ${options.scheme ?? "$scheme"};
            proxy_set_header X-Forwarded-Host ${options.publicHost ?? "$host"};
            proxy_set_header X-Forwarded-Port "";
            proxy_connect_timeout 2s;
            proxy_next_upstream error timeout;
            proxy_request_buffering ${options.proxyRequestBuffering ?? "on"};
            proxy_buffering ${options.proxyBuffering ?? "on"};
            ${options.location ?? ""}
        }
        location = /nginx-ready { access_log off; return 200; }
    }
}
`;
}
