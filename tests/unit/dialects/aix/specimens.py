"""What AIX's commands print, as aix.md has it."""

LSSRC = """\
Subsystem         Group            PID          Status
 hamnd            hamn             10551496     active
"""
IFCONFIG = """\
en1: flags=1e084863,480<UP,BROADCAST,NOTRAILERS,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT,CHAIN> metric 1
        inet 9.114.47.104 netmask 0xffffffc0 broadcast 9.114.47.127
        inet 9.114.47.110
         tcp_sendspace 262144 tcp_recvspace 262144 rfc1323 1
en2: flags=1e080862,480<BROADCAST,NOTRAILERS,SIMPLEX,MULTICAST,GROUPRT,64BIT,CHAIN>
        inet 10.0.0.4 netmask 0xff00ff00 broadcast 10.0.0.255
lo0: flags=e08084b,c0<UP,BROADCAST,LOOPBACK,RUNNING,SIMPLEX,MULTICAST,GROUPRT,64BIT,LARGESEND,CHAIN>
        inet 127.0.0.1 netmask 0xff000000 broadcast 127.255.255.255
        inet6 ::1%1/0
         tcp_sendspace 131072 tcp_recvspace 131072 rfc1323 1
"""  # noqa: E501  (as printed)
NETSTAT = """\
Name  Mtu   Network     Address            Ipkts Ierrs    Opkts Oerrs  Coll
en1   1500  link#2      4e.8e.70.0.90.cf 403401863     0 408849341     0     0
en1   1500  9.114.47.64 9.114.47.104     403401863     0 408849341     0     0
en2*  1500  link#3      62.c5.1c.3a.5d.3         0     0         0     0     0
lo0   16896 link#1                       151933830     0 151934833     0     0
lo0   16896 127         127.0.0.1        151933830     0 151934833     0     0
"""
SETTINGS = """\
#host:addr:mask:_rawname:nameserv:domain:gateway:type:start
aixmn2:9.114.47.104:255.255.255.192:en1:9.114.47.10:cluster.net:9.114.47.126:N/A:no
"""
SETTINGS_7 = """\
#host:addr:mask:_rawname:nameserv:domain:gateway:cost:activedgd:type:start
aixmn2:9.114.47.104:255.255.255.192:en1:::9.114.47.126:0:no:N/A:no
"""
INITTAB = """\
init:2:initdefault:
brc::sysinit:/sbin/rc.boot 3 >/dev/console 2>&1 # Phase 3 of system boot
:named:2:once:/usr/sbin/named >/dev/console 2>&1
srcmstr:23456789:respawn:/usr/sbin/srcmstr # System Resource Controller
cron:23456789:respawn:/usr/sbin/cron
"""
XCATD_LINE = "xcatd:2:once:/opt/xcat/sbin/restartxcatd > /dev/console 2>&1\n"
FMC_LINE = "fmc:2345:respawn:/opt/IBM/db2/V9.7/bin/db2fmcd #DB2 Fault Monitor Coordinator\n"
LSNIM = """\
master:
   class               = machines
   type                = master
   if1                 = net_9_114_47_64 aixmn1 4E8E700090CF
   if2                 = net_10 aixmn1-b 0
61image_lpp_source:
   class       = resources
   type        = lpp_source
   Rstate      = ready for use
   location    = /install/nim/lpp_source/61image_lpp_source
   alloc_count = 0
   server      = master
61image:
   class       = resources
   type        = spot
   Rstate      = ready for use
   location    = /export/spots/61image/usr
61dskls_root:
   class       = resources
   type        = root
   location    = /install/nim/root/61dskls_root
"""
OSIMAGES = """\
Object name: 61dskls
    imagetype=NIM
    lpp_source=61dskls_lpp_source
    nimtype=diskless
    osname=AIX
    paging=61dskls_paging
    root=61dskls_root
    spot=61dskls
Object name: 61image
    bosinst_data=61image_bosinst_data
    installp_bundle=xCATaixSSL,xCATaixSSH
    lpp_source=61image_lpp_source
    nimmethod=rte
    nimtype=standalone
    osname=AIX
    spot=61image
Object name: rhels6
    imagetype=linux
    osname=Linux
"""
LSLPP = """\
/usr/lib/objrepos:bos.rte:6.1.6.15: :COMMITTED:I:Base Operating System Runtime:
/etc/objrepos:bos.rte:6.1.6.15: :COMMITTED:I:Base Operating System Runtime:
/usr/lib/objrepos:bos.net:6.1.6.16: :BROKEN:F:Networking:
"""
ERRPT = "A63BEB70   1130081926 P S SYSXAIXIF      AIXIF_ARP_DUP_ADDR\n"
