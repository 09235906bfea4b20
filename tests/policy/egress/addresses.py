"""The table of addresses: address, reason, and why. Every special range by its first, last and outside neighbours.

Source: IANA IPv4 and IPv6 special-purpose address registries; RFC 6052 (NAT64), 3056 (6to4), 4291 (mapped, compatible).
"""

from __future__ import annotations

TABLE = """
0.0.0.0                 special_use  this network, first; Linux dials itself
0.0.0.1                 special_use  this network
0.255.255.255           special_use  this network, last
1.0.0.0                 public       behind this network
9.255.255.255           public       in front of 10/8
10.0.0.0                private      RFC 1918, first
10.1.2.3                private      RFC 1918
10.255.255.255          private      RFC 1918, last
11.0.0.0                public       behind 10/8
100.63.255.255          public       in front of carrier-grade NAT
100.64.0.0              private      carrier-grade NAT, first
100.100.100.199         private      beside Alibaba's metadata
100.100.100.200         metadata     Alibaba Cloud
100.100.100.201         private      beside it, on the other side
100.127.255.255         private      carrier-grade NAT, last
100.128.0.0             public       behind it
126.255.255.255         public       in front of loopback
127.0.0.0               loopback     first
127.0.0.1               loopback     the usual one
127.0.0.53              loopback     a local resolver
127.255.255.255         loopback     last
128.0.0.0               public       behind loopback
168.63.129.15           public       beside Azure's
168.63.129.16           metadata     Azure's wire server, in public space
168.63.129.17           public       beside it, on the other side
169.253.255.255         public       in front of link-local
169.254.0.0             link_local   first
169.254.169.253         link_local   AWS's resolver
169.254.169.254         metadata     AWS, Google, Azure, Oracle, DigitalOcean
169.254.169.255         link_local   beside it
169.254.170.1           link_local   beside the next
169.254.170.2           metadata     AWS, credentials of containers
169.254.170.3           link_local   beside it
169.254.170.23          metadata      AWS, credentials of pods
169.254.0.23            metadata      Tencent Cloud
169.254.255.255         link_local   last
169.255.0.0             public       behind link-local
172.15.255.255          public       in front of 172.16/12
172.16.0.0              private      RFC 1918, first
172.17.0.1              private      a container's host
172.31.255.255          private      RFC 1918, last
172.32.0.0              public       behind it
191.255.255.255         public       in front of 192.0.0/24
192.0.0.0               special_use  IETF protocol assignments, first
192.0.0.8               special_use  the dummy address of IPv4
192.0.0.170             special_use  NAT64 discovery
192.0.0.191             special_use  beside Oracle's
192.0.0.192             metadata     Oracle Cloud
192.0.0.193             special_use  beside it, on the other side
192.0.0.255             special_use  last
192.0.1.0               public       behind it
192.0.1.255             public       in front of TEST-NET-1
192.0.2.0               special_use  TEST-NET-1, first
192.0.2.255             special_use  TEST-NET-1, last
192.0.3.0               public       behind it
192.31.196.1            public       AS112, globally reachable
192.52.193.1            public       AMT, globally reachable
192.88.98.255           public       in front of the 6to4 relays
192.88.99.0             special_use  6to4 relays, first
192.88.99.1             special_use  the relay itself
192.88.99.255           special_use  6to4 relays, last
192.88.100.0            public       behind them
192.167.255.255         public       in front of 192.168/16
192.168.0.0             private      RFC 1918, first
192.168.1.1             private      a router at home
192.168.255.255         private      RFC 1918, last
192.169.0.0             public       behind it
192.175.48.1            public       AS112, globally reachable
198.17.255.255          public       in front of the benchmark range
198.18.0.0              special_use  benchmarks, first
198.19.255.255          special_use  benchmarks, last
198.20.0.0              public       behind it
198.51.99.255           public       in front of TEST-NET-2
198.51.100.0            special_use  TEST-NET-2, first
198.51.100.255          special_use  TEST-NET-2, last
198.51.101.0            public       behind it
203.0.112.255           public       in front of TEST-NET-3
203.0.113.0             special_use  TEST-NET-3, first
203.0.113.255           special_use  TEST-NET-3, last
203.0.114.0             public       behind it
223.255.255.255         public       in front of multicast
224.0.0.0               special_use  multicast, first
224.0.0.251             special_use  mDNS
239.255.255.250         special_use  SSDP
239.255.255.255         special_use  multicast, last
240.0.0.0               special_use  reserved, first
255.255.255.254         special_use  reserved, last
255.255.255.255         special_use  broadcast
1.1.1.1                 public       a resolver
8.8.8.8                 public       a resolver
104.18.7.192            public       a model's API
::                      special_use  unspecified
::1                     loopback     loopback
::2                     special_use  behind it: no compatible form of so small a number
::ffff                  special_use  the last of those
::1:0                   special_use  compatible form of 0.1.0.0
::7f00:1                loopback     compatible form of 127.0.0.1
::127.0.0.1             loopback     the same, in dots
::10.0.0.1              private      compatible form of RFC 1918
::169.254.169.254       metadata     compatible form of the metadata address
::8.8.8.8               public       compatible form of a public one
::255.255.255.255       special_use  the last of the compatible forms
::1:0:0                 special_use  behind them
::fffe:ffff:ffff        special_use  in front of the mapped forms
::ffff:0.0.0.0          special_use  mapped, first
::ffff:127.0.0.1        loopback     mapped loopback
::ffff:7f00:1           loopback     the same without dots
0:0:0:0:0:ffff:7f00:1   loopback     the same in full
::ffff:10.0.0.1         private      mapped RFC 1918
::ffff:192.168.1.1      private      mapped RFC 1918
::ffff:100.64.0.1       private      mapped carrier-grade NAT
::ffff:100.100.100.200  metadata     mapped Alibaba
::ffff:168.63.129.16    metadata     mapped Azure
::ffff:169.254.169.254  metadata     mapped metadata
::ffff:a9fe:a9fe        metadata     the same without dots
::ffff:169.254.1.1      link_local   mapped link-local
::ffff:192.0.0.192      metadata     mapped Oracle
::ffff:224.0.0.1        special_use  mapped multicast
::ffff:8.8.8.8          public       mapped public
::ffff:255.255.255.255  special_use  mapped, last
::1:0:0:0               special_use  behind the mapped forms
::ffff:0:127.0.0.1      special_use  translated (SIIT): not routed, never dialled
::ffff:0:8.8.8.8        special_use  translated, also of a public one
64:ff9a:ffff::1         special_use  in front of NAT64
64:ff9b::               special_use  NAT64, first: of 0.0.0.0
64:ff9b::127.0.0.1      loopback     NAT64 of loopback
64:ff9b::10.0.0.1       private      NAT64 of RFC 1918
64:ff9b::a9fe:a9fe      metadata     NAT64 of metadata
64:ff9b::a9fe:aa02      metadata     NAT64 of containers' credentials
64:ff9b::6464:64c8      metadata     NAT64 of Alibaba
64:ff9b::8.8.8.8        public       NAT64 of a public one: what IPv6-only networks need
64:ff9b::ffff:ffff      special_use  NAT64, last
64:ff9b::1:0:0          special_use  behind it
64:ff9b:1::             special_use  local NAT64, first
64:ff9b:1::8.8.8.8      special_use  local NAT64: what it means is not ours to know
64:ff9b:1:ffff:ffff:ffff:ffff:ffff special_use local NAT64, last
100::                   special_use  discard only, first
100::ffff:ffff:ffff:ffff special_use discard only, last
100:0:0:1::             special_use  dummy prefix
1fff:ffff::1            special_use  in front of global unicast
2000::                  public       global unicast, first
2000:ffff:ffff::1       public       in front of 2001::/23
2001::                  special_use  Teredo, first
2001:0:7f00:1::         special_use  Teredo with loopback for a server
2001:0:ffff:ffff::1     special_use  Teredo, last /64s
2001:1::1               special_use  port control, anycast
2001:2::1               special_use  benchmarks
2001:3::1               special_use  AMT
2001:4:112::1           special_use  AS112
2001:10::1              special_use  ORCHID
2001:20::1              special_use  ORCHIDv2
2001:30::1              special_use  drone identities
2001:1ff:ffff::1        special_use  IETF assignments, last
2001:200::              public       behind them
2001:db7:ffff::1        public       in front of documentation
2001:db8::              special_use  documentation, first
2001:db8:ffff:ffff:ffff:ffff:ffff:ffff special_use documentation, last
2001:db9::              public       behind it
2001:4860:4860::8888    public       a resolver
2001:ffff::1            public       in front of 6to4
2002::                  special_use  6to4, first: of 0.0.0.0
2002:7f00:1::           loopback     6to4 of loopback
2002:7f00:1::8.8.8.8    loopback     whatever stands behind the prefix
2002:a00:1::1           private      6to4 of RFC 1918
2002:c0a8:101::1        private      6to4 of RFC 1918
2002:a9fe:a9fe::        metadata     6to4 of metadata
2002:a9fe:a9fe::1       metadata     the same, another host
2002:6464:64c8::1       metadata     6to4 of Alibaba
2002:a83f:8110::1       metadata     6to4 of Azure
2002:808:808::1         public       6to4 of a public one
2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff special_use 6to4, last
2003::                  public       behind it
2606:4700:4700::1111    public       a resolver
2620:4f:8000::1         public       AS112, globally reachable
3ffe:ffff::1            public       in front of the second documentation range
3fff::                  special_use  documentation, first
3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff special_use documentation, last
3fff:1000::             public       behind it
3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff public global unicast, last
4000::                  special_use  behind it: not assigned
5f00::1                 special_use  segment routing
8000::1                 special_use  not assigned
fbff:ffff::1            special_use  in front of unique local
fc00::                  private      unique local, first
fd00::1                 private      unique local
fd00:41:ffff::1         private      in front of Scaleway's
fd00:42::41             private      beside Scaleway's
fd00:42::42             metadata     Scaleway
fd00:42::43             private      beside it
fd00:a9fe:a9fe::        private      beside Akamai's
fd00:a9fe:a9fe::1       metadata     Akamai
fd00:a9fe:a9fe::2       private      beside it
fd00:100::100:1ff       private      beside Alibaba's
fd00:100::100:200       metadata     Alibaba Cloud, IPv6
fd00:100::100:201       private      beside it
fd00:c1::a9fe:a9fd      private      beside Oracle's
fd00:c1::a9fe:a9fe      metadata     Oracle Cloud
fd00:c1::a9fe:a9ff      private      beside it
fd00:ec1:ffff:ffff:ffff:ffff:ffff:ffff private in front of AWS's services
fd00:ec2::              metadata     AWS's services, first
fd00:ec2::23            metadata     AWS, credentials of pods
fd00:ec2::254           metadata     AWS
fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff metadata AWS's services, last
fd00:ec3::              private      behind them
fd20:ce::253            private      beside Google's
fd20:ce::254            metadata     Google Cloud
fd20:ce::255            private      beside it
fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff private unique local, last
fe00::                  special_use  behind it
fe7f:ffff::1            special_use  in front of link-local
fe80::                  link_local   first
fe80::1%eth0            link_local   with a zone
fe80::a9fe:a9fe         metadata      OpenStack's metadata
febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff link_local last
fec0::                  special_use  site-local, first
feff::1                 special_use  site-local
ff00::                  special_use  multicast, first
ff02::1                 special_use  all nodes
ff0e::1                 special_use  global multicast
ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff special_use the last of all
"""

ROWS = [(row[0], row[1], row[2]) for line in TABLE.strip().splitlines() if (row := line.split(None, 2))]
